// Reads the golden frames that every implementation shares: `codec messages.json refused.json`.
#include <fstream>
#include <iostream>
#include <sstream>

#include <powerhose/control.hpp>

using namespace powerhose;

static int failures = 0;

static void check(bool right, const std::string &name, const char *what) {
    if (!right) {
        std::cerr << name << ": " << what << "\n";
        ++failures;
    }
}

static json::Value load(const char *path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return json::parse(text.str());
}

static std::string unhex(const std::string &hex) {
    std::string bytes, digits;
    for (const char c : hex)
        if (c != ' ')
            digits.push_back(c);
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    return bytes;
}

static std::vector<std::string> frames_of(const json::Value &entry) {
    std::vector<std::string> frames;
    for (const auto &frame : entry.find("frames")->items)
        frames.push_back(unhex(frame.text));
    return frames;
}

static wire::Message read(const json::Value &entry, const std::vector<std::string> &frames) {
    const bool to_worker = entry.find("direction")->text == "master-to-worker";
    const std::vector<std::string_view> views(frames.begin(), frames.end());
    const auto message = wire::decode(views, to_worker ? wire::Direction::ToWorker : wire::Direction::ToMaster, 16 << 20);
    if (message.header.command == wire::Command::Registered)
        wire::read_registered(message.body);
    if (message.header.command == wire::Command::Rejected)
        wire::read_rejected(message.body);
    return message;
}

static bool is_between_worker_and_master(const json::Value &entry) {
    const std::string &direction = entry.find("direction")->text;
    return direction == "master-to-worker" || direction == "worker-to-master";
}

static void reads(const json::Value &entry) {
    const std::string name = entry.find("name")->text;
    const auto frames = frames_of(entry);
    const json::Value &fields = *entry.find("fields");
    const auto number = [&](const char *field) { return fields.find(field) ? std::stoull(fields.find(field)->text) : 0; };
    try {
        const auto message = read(entry, frames);
        const auto &header = message.header;
        check(header.session == number("session"), name, "another session");
        if (fields.find("job")) {
            check(header.job == number("job"), name, "another job");
            check(header.attempt == number("attempt"), name, "another attempt");
        }
        if (fields.find("budget_ms"))
            check(header.time == number("budget_ms") && header.service == number("service"), name, "another budget or service");
        if (fields.find("elapsed_us"))
            check(header.time == number("elapsed_us"), name, "another time");
        if (const auto *body = fields.find("body"))
            check(message.body == unhex(body->text), name, "another body");
        if (const auto *metadata = fields.find("metadata")) {
            const bool none = metadata->kind == json::Value::Kind::Null;
            check(none ? !message.metadata : message.metadata == unhex(metadata->text), name, "other metadata");
        }
        if (header.command == wire::Command::Registered) {
            const auto terms = wire::read_registered(message.body);
            check(terms.heartbeat_ms == number("heartbeat_ms") && terms.misses == number("misses") && terms.max_body == number("max_body"),
                  name, "other terms");
        }
        // A control command may order and space its JSON differently.
        if (!entry.find("canonical") && header.command > wire::Command::Rejected && !message.metadata)
            check(wire::encode(header, message.body) == frames[0], name, "is written differently");
    } catch (const wire::Error &error) {
        check(false, name, error.what());
    }
}

static void refuses(const json::Value &entry) {
    const std::string name = entry.find("name")->text;
    const auto frames = frames_of(entry);
    try {
        const auto message = read(entry, frames);
        // A worker writes REGISTER and never reads its JSON.
        check(message.header.command == wire::Command::Register, name, "is no message, and was read");
    } catch (const wire::Error &error) {
        check(entry.find("error")->text == error.code, name, error.code);
    }
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    int count = 0;
    const json::Value messages = load(argv[1]), refused = load(argv[2]);
    for (const auto &entry : messages.find("messages")->items)
        if (is_between_worker_and_master(entry))
            reads(entry), ++count;
    for (const auto &entry : refused.find("refused")->items)
        if (is_between_worker_and_master(entry))
            refuses(entry), ++count;
    std::cout << count << " vectors, " << failures << " failures\n";
    return failures == 0 && count > 50 ? 0 : 1;
}
