// The messages of crypto jobs: MessagePack with named members, as the package crypto-jobs (workers/jobs) has them.
#pragma once

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace crypto {

using Json = nlohmann::json;

// The body is no request of the service. The text quotes nothing of it.
struct NoRequest : std::runtime_error {
    NoRequest() : std::runtime_error("not a request of this service: the body is not a message of this service") {}
};

namespace detail {

constexpr std::size_t max_message = 64 * 1024;
constexpr std::size_t max_depth = 160;

// Looks through a message before it is built: nlohmann's reader calls itself for each level, and of a member that occurs twice it takes the
// last one.
class Scan : public nlohmann::json_sax<Json> {
  public:
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t &) override { return true; }
    bool string(string_t &text) override { return is_utf8(text); }
    bool binary(binary_t &value) override { return !value.has_subtype(); }
    bool start_object(std::size_t) override { return open(); }
    bool key(string_t &name) override { return is_utf8(name) && names_.back().insert(name).second; }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t, const std::string &, const nlohmann::detail::exception &) override { return false; }

  private:
    // MessagePack's texts are not looked at when they are read, but when they are written as JSON.
    static bool is_utf8(const std::string &text) {
        try {
            Json(text).dump();
            return true;
        } catch (const Json::type_error &) {
            return false;
        }
    }
    bool open() {
        names_.emplace_back();
        return names_.size() <= max_depth;
    }
    bool close() {
        names_.pop_back();
        return true;
    }

    std::vector<std::set<std::string>> names_;
};

} // namespace detail

// Reads one message that fills the body. Throws NoRequest.
inline Json decode(std::string_view body) {
    detail::Scan scan;
    if (body.size() > detail::max_message || !Json::sax_parse(body, &scan, Json::input_format_t::msgpack))
        throw NoRequest();
    return Json::from_msgpack(body);
}

inline std::string encode(const Json &message) {
    std::string body;
    Json::to_msgpack(message, body);
    return body;
}

// A structure in a request. What is missing, unknown or of another kind is NoRequest.
class Structure {
  public:
    Structure(const Json &json, std::initializer_list<const char *> members) : json_(json) {
        if (!json.is_object())
            throw NoRequest();
        const std::set<std::string> known(members.begin(), members.end());
        for (const auto &[name, value] : json.items())
            if (known.count(name) == 0)
                throw NoRequest();
    }

    const Json &member(const char *name) const {
        const auto found = json_.find(name);
        if (found == json_.end())
            throw NoRequest();
        return *found;
    }
    // nullptr if it is absent or nil.
    const Json *optional(const char *name) const {
        const auto found = json_.find(name);
        return found == json_.end() || found->is_null() ? nullptr : &*found;
    }
    const std::string &text(const char *name) const { return text_of(member(name)); }
    std::uint64_t number(const char *name) const {
        const Json &value = member(name);
        if (!value.is_number_unsigned())
            throw NoRequest();
        return value.get<std::uint64_t>();
    }
    // Bytes, as binary or as text.
    std::string secret(const char *name) const { return secret_of(member(name)); }

    static const std::string &text_of(const Json &value) {
        if (!value.is_string())
            throw NoRequest();
        return value.get_ref<const std::string &>();
    }
    static std::string secret_of(const Json &value) {
        if (!value.is_binary())
            return text_of(value);
        const auto &bytes = value.get_binary();
        return std::string(bytes.begin(), bytes.end());
    }

  private:
    const Json &json_;
};

// One of several variants: its name, and what it holds.
inline std::pair<std::string, const Json &> variant(const Json &json) {
    if (json.is_string()) {
        static const Json nothing;
        return {json.get<std::string>(), nothing};
    }
    if (!json.is_object() || json.size() != 1)
        throw NoRequest();
    return {json.begin().key(), *json.begin()};
}

} // namespace crypto
