// Bytes and messages of protocol.md, version 1. No sockets, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powerhose::wire {

constexpr std::uint8_t version = 1;
constexpr std::size_t header_len = 28;
constexpr std::size_t inline_body = 1024;
constexpr std::size_t max_control_body = 256 * 1024;
constexpr std::size_t max_metadata = 8 * 1024;
constexpr std::size_t max_services = 64;
constexpr std::size_t max_service_name = 64;
constexpr unsigned max_slots = 1024;
constexpr std::size_t max_label = 255;
constexpr std::size_t max_socket_path = 107;
constexpr std::size_t jobs_per_slot = 129;

enum class Command : std::uint8_t {
    Register = 1, Registered, Rejected, Heartbeat, Job, Result, Cancel, Drain, Disconnect
};
enum class ResultCode : std::uint16_t {
    Ok, Failed, Panicked, Expired, Returned, Cancelled, TooLarge, UnknownService, Overrun
};
enum class RejectReason : std::uint16_t {
    UnsupportedVersion = 1, Malformed, UnknownSession, UnknownCommand, InvalidRegistration, TooManyWorkers, Draining, TooLarge
};
enum class CancelReason : std::uint16_t { Caller = 1, Deadline, Superseded, Recalled };
enum class DisconnectReason : std::uint16_t { Shutdown = 1, Drained, Overflow, Silent };

enum Flags : std::uint8_t { InlineBody = 1, BodyFrame = 2, Metadata = 4 };

// Frames that are no message. `code` is the name in protocol.md's table of errors.
struct Error : std::runtime_error {
    Error(const char *code, const std::string &why) : std::runtime_error(why), code(code) {}
    const char *code;
};

struct Header {
    Command command{};
    std::uint8_t flags = 0;
    std::uint8_t attempt = 0;
    std::uint32_t time = 0;
    std::uint64_t session = 0;
    std::uint64_t job = 0;
    std::uint16_t service = 0;
    std::uint16_t code = 0;
};

// A message. The views point into the frames that it was read from.
struct Message {
    Header header;
    std::string_view body;
    std::optional<std::string_view> metadata;
};

namespace detail {

template <typename Int> void put(std::string &out, Int value) {
    for (int shift = (sizeof(Int) - 1) * 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xff));
}

template <typename Int> Int get(std::string_view bytes, std::size_t offset) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(Int); ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
    return static_cast<Int>(value);
}

inline void check_code(const Header &header) {
    unsigned least = 1, most = 0;
    switch (header.command) {
    case Command::Rejected: most = 9; break;
    case Command::Result: least = 0, most = 8; break;
    case Command::Cancel:
    case Command::Disconnect: most = 4; break;
    default: return;
    }
    if (header.code < least || header.code > most)
        throw Error("field", "the code " + std::to_string(header.code) + " is not in the table");
}

} // namespace detail

enum class Direction { ToWorker, ToMaster };

// The first frame of a message. A body of up to 1 KiB goes behind the header; where it does not, the caller sends it as the next frame.
inline std::string encode(Header header, std::string_view body = {}) {
    header.flags = body.empty() ? 0 : body.size() <= inline_body ? InlineBody : BodyFrame;
    std::string out;
    out.reserve(header_len + (header.flags & InlineBody ? body.size() : 0));
    detail::put(out, version);
    detail::put(out, static_cast<std::uint8_t>(header.command));
    detail::put(out, header.flags);
    detail::put(out, header.attempt);
    detail::put(out, header.time);
    detail::put(out, header.session);
    detail::put(out, header.job);
    detail::put(out, header.service);
    detail::put(out, header.code);
    if (header.flags & InlineBody)
        out.append(body);
    return out;
}

// Reads the frames after the routing id. Throws Error for what is no message; it never reads beyond the frames.
inline Message decode(const std::vector<std::string_view> &frames, Direction direction, std::size_t max_body) {
    if (frames.empty() || frames[0].empty())
        throw Error("short-header", "there is no header");
    const std::string_view first = frames[0];
    if (static_cast<std::uint8_t>(first[0]) != version)
        throw Error("version", "only version 1 is spoken here");
    if (first.size() < header_len)
        throw Error("short-header", "the first frame has " + std::to_string(first.size()) + " bytes");
    Header header;
    const auto command = static_cast<std::uint8_t>(first[1]);
    header.flags = static_cast<std::uint8_t>(first[2]);
    header.attempt = static_cast<std::uint8_t>(first[3]);
    header.time = detail::get<std::uint32_t>(first, 4);
    header.session = detail::get<std::uint64_t>(first, 8);
    header.job = detail::get<std::uint64_t>(first, 16);
    header.service = detail::get<std::uint16_t>(first, 24);
    header.code = detail::get<std::uint16_t>(first, 26);
    if (command < 1 || command > 9)
        throw Error("unknown-command", "no such command");
    header.command = static_cast<Command>(command);

    const bool control = header.command <= Command::Rejected;
    const bool carries_body = control || header.command == Command::Job || header.command == Command::Result;
    const unsigned body_flags = header.flags & (InlineBody | BodyFrame);
    if (header.flags > 7 || body_flags == (InlineBody | BodyFrame) || (body_flags && !carries_body) ||
        (header.flags & Metadata && header.command != Command::Job))
        throw Error("flags", "flags that are not allowed");
    const std::size_t announced = 1 + (header.flags & BodyFrame ? 1 : 0) + (header.flags & Metadata ? 1 : 0);
    if (frames.size() != announced)
        throw Error("frames", std::to_string(frames.size()) + " frames where the flags announce " + std::to_string(announced));

    Message message{header, {}, std::nullopt};
    if (header.flags & InlineBody)
        message.body = first.substr(header_len);
    else if (first.size() > header_len)
        throw Error("field", "bytes follow the header without the flag");
    if (header.flags & BodyFrame)
        message.body = frames[1];
    if (header.flags & Metadata)
        message.metadata = frames.back();
    if (message.body.size() > (control ? max_control_body : max_body))
        throw Error("too-large", "the body has " + std::to_string(message.body.size()) + " bytes");
    if (message.metadata && message.metadata->size() > max_metadata)
        throw Error("too-large", "the metadata has " + std::to_string(message.metadata->size()) + " bytes");

    bool mine = false;
    switch (header.command) {
    case Command::Heartbeat: case Command::Drain: case Command::Disconnect: mine = true; break;
    case Command::Register: case Command::Result: mine = direction == Direction::ToMaster; break;
    default: mine = direction == Direction::ToWorker;
    }
    if (!mine)
        throw Error("unknown-command", "the command does not go in this direction");
    const bool names_job = header.command == Command::Job || header.command == Command::Result || header.command == Command::Cancel;
    if (names_job && header.attempt == 0)
        throw Error("field", "attempts count from 1");
    if (header.command == Command::Registered && header.session == 0)
        throw Error("field", "session 0 means that there is none");
    detail::check_code(header);
    return message;
}

} // namespace powerhose::wire
