// The worker that `powerhose conformance` tests this SDK with.
#include <cstdlib>
#include <iostream>
#include <thread>

#include <powerhose/worker.hpp>

static std::string conformance(powerhose::Job &job) {
    const std::string_view body = job.body();
    const auto space = body.find(' ');
    const std::string_view word = body.substr(0, space);
    const std::string rest(space == std::string_view::npos ? "" : body.substr(space + 1));
    if (word == "echo")
        return rest;
    if (word == "large")
        return std::string(std::stoul(rest), 'x');
    if (word == "sleep") {
        const auto until = powerhose::Job::Clock::now() + std::chrono::milliseconds(std::stol(rest));
        while (powerhose::Job::Clock::now() < until) {
            if (job.is_cancelled())
                throw powerhose::Cancelled();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return "slept";
    }
    throw powerhose::Failure(rest);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " ENDPOINT [SLOTS [OWN_SOCKET]]\n";
        return 64;
    }
    try {
        powerhose::Worker worker(argv[1]);
        worker.service("conformance", conformance);
        worker.service("echo", [](powerhose::Job &job) { return std::string(job.body()); });
        if (argc > 2)
            worker.slots(static_cast<unsigned>(std::stoul(argv[2])));
        if (argc > 3)
            worker.own_socket(argv[3]);
        return worker.run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << "\n";
        return 78;
    }
}
