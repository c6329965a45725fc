// The JSON bodies that a worker reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json.hpp"

namespace powerhose::wire {

// The body of REGISTERED.
struct Terms {
    std::uint64_t heartbeat_ms = 0, misses = 0, max_body = 0;
    std::string implementation;
};

// The body of REJECTED, as far as a worker needs it.
struct Rejection {
    std::string message;
};

namespace detail {

inline json::Value object(std::string_view text) {
    json::Value body = json::parse(text);
    if (body.kind != json::Value::Kind::Object)
        throw Error("field", "the body is no object");
    return body;
}

inline const json::Value &required(const json::Value &body, std::string_view name) {
    const json::Value *member = body.find(name);
    if (!member)
        throw Error("field", std::string(name) + " is missing");
    return *member;
}

inline std::uint64_t count(const json::Value &body, std::string_view name) {
    const std::uint64_t value = required(body, name).integer();
    if (value == 0 || value > UINT32_MAX)
        throw Error("field", std::string(name) + " is out of range");
    return value;
}

inline std::string string(const json::Value &member) {
    if (member.kind != json::Value::Kind::String)
        throw Error("field", "a string is missing");
    return member.text;
}

} // namespace detail

// Both throw Error for what protocol.md does not allow.
inline Terms read_registered(std::string_view text) {
    const json::Value body = detail::object(text);
    Terms terms{detail::count(body, "heartbeat_ms"), detail::count(body, "misses"), detail::required(body, "max_body").integer(), {}};
    if (const json::Value *name = body.find("implementation"))
        terms.implementation = detail::string(*name);
    return terms;
}

inline Rejection read_rejected(std::string_view text) {
    const json::Value body = detail::object(text);
    if (const json::Value *versions = body.find("versions")) {
        if (versions->kind != json::Value::Kind::Array)
            throw Error("field", "versions is no array");
        for (const json::Value &version : versions->items)
            if (version.integer() > UINT8_MAX)
                throw Error("field", "a version is out of range");
    }
    return {detail::string(detail::required(body, "message"))};
}

} // namespace powerhose::wire
