// What a handler gets, and what it may throw.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "socket.hpp"
#include "wire.hpp"

namespace powerhose {

// One attempt of one job.
struct Key {
    std::uint64_t job;
    std::uint8_t attempt;
    bool operator<(const Key &other) const { return std::tie(job, attempt) < std::tie(other.job, other.attempt); }
    bool operator==(const Key &other) const { return job == other.job && attempt == other.attempt; }
};

class Job {
  public:
    using Clock = std::chrono::steady_clock;

    Job(Key key, std::uint16_t service, std::uint64_t session, Clock::time_point deadline, const wire::Message &message,
        std::vector<detail::Frame> frames)
        : key_(key), service_(service), session_(session), deadline_(deadline), frames_(std::move(frames)) {
        // Small frames live inside of the moved objects, so the views are taken anew.
        const auto &header = message.header;
        if (header.flags & wire::InlineBody)
            body_ = frames_[0].view().substr(wire::header_len);
        else if (header.flags & wire::BodyFrame)
            body_ = frames_[1].view();
        if (header.flags & wire::Metadata)
            metadata_ = frames_.back().view();
    }
    Job(const Job &) = delete;
    Job &operator=(const Job &) = delete;

    // The bytes of the caller; they live as long as the job.
    std::string_view body() const { return body_; }
    // What came along for the handler, such as a traceparent; empty if nothing did.
    std::string_view metadata() const { return metadata_; }
    Key key() const { return key_; }
    std::uint16_t service() const { return service_; }
    std::uint64_t session() const { return session_; }
    // When the caller gives up.
    Clock::time_point deadline() const { return deadline_; }
    // Whether nobody wants the result any more. A handler that takes long asks now and then, and throws Cancelled.
    bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
    void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  private:
    Key key_;
    std::uint16_t service_;
    std::uint64_t session_;
    Clock::time_point deadline_;
    std::vector<detail::Frame> frames_;
    std::string_view body_, metadata_;
    std::atomic<bool> cancelled_{false};
};

// A handler returns the result, or throws: Failure for what the caller should read, Cancelled after is_cancelled(). Any other exception
// is told to the caller as a defect of the handler.
using Handler = std::function<std::string(Job &)>;

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Cancelled : std::exception {};

} // namespace powerhose
