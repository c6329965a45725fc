// Powerhose workers in C++17, over libzmq's C API. Include this file, link with -lzmq and -pthread.
//
//     powerhose::Worker worker("ipc:///run/powerhose/backend");
//     worker.service("square", [](powerhose::Job &job) { return square(job.body()); });
//     return worker.run();
//
// protocol.md is the normative text of what it speaks.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <unordered_map>

#include <unistd.h>

#include "control.hpp"
#include "json.hpp"
#include "job.hpp"
#include "own_socket.hpp"
#include "signals.hpp"
#include "slots.hpp"
#include "socket.hpp"
#include "wire.hpp"

namespace powerhose {

// How a worker ended: the code that its process exits with, as protocol.md's table says.
enum ExitCode : int { Drained = 0, MasterLost = 69, Stopped = 75, Rejected = 76, RejectedRegistration = 78 };

class Worker {
  public:
    // `endpoint` is where the master listens: ipc://PATH or tcp://HOST:PORT.
    explicit Worker(std::string endpoint) : endpoint_(std::move(endpoint)) {
        const char *limit = std::getenv("POWERHOSE_RECONNECT_LIMIT");
        if (limit != nullptr && *limit != '\0')
            reconnect_limit_ = detail::parse_duration(limit);
    }

    // Offers a service: at most 64 letters, digits, dots, dashes and underscores; the empty name is the default service.
    // With several slots the handler is called by several threads at the same time.
    Worker &service(std::string name, Handler handler) {
        const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
        if (name.size() > wire::max_service_name || !std::all_of(name.begin(), name.end(), allowed) || names_.size() == wire::max_services ||
            std::count(names_.begin(), names_.end(), name) != 0)
            throw std::invalid_argument("'" + name + "' cannot be a service: 64 different names of up to 64 of A-Z a-z 0-9 . _ -");
        names_.push_back(std::move(name));
        handlers_.push_back(std::move(handler));
        return *this;
    }

    // How many jobs are done at the same time, each in a thread of its own: 1 to 1,024, 1 unless set.
    Worker &slots(unsigned count) {
        if (count == 0 || count > wire::max_slots)
            throw std::invalid_argument("1 to 1024 slots are possible");
        slot_count_ = count;
        return *this;
    }

    // How long a master is looked for, at the start or when it was lost: 60 s, or what POWERHOSE_RECONNECT_LIMIT says, such as 5s.
    Worker &reconnect_limit(std::chrono::milliseconds limit) {
        reconnect_limit_ = limit;
        return *this;
    }

    // Takes jobs on a socket of the worker's own, at this path in the directory of the master's ipc socket.
    Worker &own_socket(std::string path) {
        if (path.empty() || path.size() > wire::max_socket_path)
            throw std::invalid_argument("the path of a socket has 1 to 107 bytes");
        own_path_ = std::move(path);
        return *this;
    }

    // Encrypts the connection to the master.
    Worker &curve(Curve curve) {
        curve_ = std::move(curve);
        return *this;
    }

    // Allows tcp beyond this machine without encryption.
    Worker &insecure() {
        insecure_ = true;
        return *this;
    }

    // What the master shows as `implementation`, at most 255 bytes.
    Worker &implementation(std::string name) {
        implementation_ = name.substr(0, wire::max_label);
        return *this;
    }

    // Works until SIGTERM or SIGINT, or until the master says so, and returns the code to exit with. A second signal ends it at once. Call it
    // once, after any fork. Throws std::runtime_error if the system refuses a socket or the endpoint is none.
    int run();

  private:
    using Clock = std::chrono::steady_clock;
    using Millis = std::chrono::milliseconds;
    using Time = Clock::time_point;

    bool is_tcp() const { return endpoint_.rfind("tcp://", 0) == 0; }

    bool insecure_ = false;
    std::string endpoint_, own_path_, implementation_ = "powerhose-cpp/0.1.0";
    std::vector<std::string> names_;
    std::vector<Handler> handlers_;
    unsigned slot_count_ = 1;
    Millis reconnect_limit_{60'000};
    std::optional<Curve> curve_;

    class Life;
};

// One run of a worker. A single thread owns the sockets.
class Worker::Life {
  public:
    Life(Worker &worker, detail::Context &context, detail::Signals &signals, detail::OwnSocket *own)
        : worker_(worker), context_(context), signals_(signals), own_(own),
          slots_(worker.slot_count_, worker.handlers_), random_(std::random_device{}()) {}

    int run() {
        lost_at_ = Clock::now();
        open();
        while (exit_ < 0) {
            receive();
            deliver();
            heed_signals();
            const Time now = Clock::now();
            timers(now);
            settle();
            flush();
            if (exit_ < 0)
                sleep();
        }
        flush();
        if (exit_ == Rejected || exit_ == RejectedRegistration)
            std::fprintf(stderr, "error: the master at %s refuses this worker: %s\n", worker_.endpoint_.c_str(), refusal_.c_str());
        else if (exit_ == MasterLost)
            std::fprintf(stderr, "error: no master at %s within %lld ms\n", worker_.endpoint_.c_str(),
                         static_cast<long long>(worker_.reconnect_limit_.count()));
        const bool last_words = state_ == State::Up;
        if (own_)
            own_->close();
        if (dealer_)
            dealer_->close(last_words ? 1000 : 0);
        return exit_;
    }

  private:
    enum class State { Backoff, Registering, Up, Parted };

    static constexpr Millis register_timeout{2000}, drain_patience{1000}, stopped{100}, backoff_first{50}, backoff_limit{5000};
    static constexpr int messages_per_turn = 256;
    static constexpr std::size_t remembered = 4096;

    void open() {
        dealer_.reset();
        dealer_.emplace(context_, ZMQ_DEALER, 0);
        // On ipc the file system decides who connects.
        if (worker_.curve_ && worker_.is_tcp())
            dealer_->encrypt(*worker_.curve_);
        dealer_->connect(worker_.endpoint_);
        outbox_.clear();
        if (own_)
            own_->reset();
        std::string body = "{\"services\":[";
        for (std::size_t i = 0; i < worker_.names_.size(); ++i)
            body += (i ? "," : "") + json::quote(worker_.names_[i]);
        body += "],\"slots\":" + std::to_string(worker_.slot_count_) + ",\"pid\":" + std::to_string(getpid());
        char host[wire::max_label + 1] = {};
        if (gethostname(host, sizeof host - 1) == 0)
            body += ",\"host\":" + json::quote(host);
        body += ",\"implementation\":" + json::quote(worker_.implementation_);
        if (own_)
            body += ",\"socket\":" + json::quote(worker_.own_path_);
        send({wire::Command::Register}, std::move(body) + "}");
        state_ = State::Registering;
        until_ = Clock::now() + register_timeout;
    }

    // Doubles from 50 ms to 5 s; at random between half and all, so that workers do not come back in step.
    void back_off() {
        dealer_.reset();
        outbox_.clear();
        session_ = 0;
        const Millis step = std::min<Millis>(backoff_limit, backoff_first * (1u << std::min(failures_, 10u)));
        ++failures_;
        std::uniform_int_distribution<std::int64_t> delay(step.count() * 500, step.count() * 1000);
        until_ = Clock::now() + std::chrono::microseconds(delay(random_));
        state_ = State::Backoff;
    }

    // The session is over: nobody wants what is left of it.
    void lose() {
        const Time now = Clock::now();
        if (now - registered_at_ >= backoff_limit)
            failures_ = 0;
        lost_at_ = now;
        slots_.abandon();
        seen_.clear();
        order_.clear();
        back_off();
    }

    void receive() {
        for (int i = 0; i < messages_per_turn && dealer_; ++i) {
            auto frames = dealer_->receive();
            if (!frames)
                break;
            read(std::move(*frames), {});
        }
        for (int i = 0; i < messages_per_turn && own_ && state_ == State::Up; ++i) {
            auto parcel = own_->receive();
            if (!parcel)
                break;
            read(std::move(parcel->second), std::move(parcel->first));
        }
    }

    void read(std::vector<detail::Frame> frames, std::string route) {
        std::vector<std::string_view> views;
        for (const auto &frame : frames)
            views.push_back(frame.view());
        try {
            const auto message = wire::decode(views, wire::Direction::ToWorker, SIZE_MAX);
            if (state_ == State::Registering)
                registering(message);
            else if (state_ == State::Up && message.header.session == session_)
                heard(message, frames, route);
        } catch (const wire::Error &) {
            // What is no message is dropped.
        }
    }

    void registering(const wire::Message &message) {
        if (message.header.command == wire::Command::Registered) {
            const wire::Terms terms = wire::read_registered(message.body);
            max_body_ = terms.max_body;
            heartbeat_ = Millis(terms.heartbeat_ms);
            silence_ = heartbeat_ * static_cast<std::int64_t>(terms.misses);
            session_ = message.header.session;
            registered_at_ = heard_ = Clock::now();
            ping_at_ = heard_ + heartbeat_;
            state_ = State::Up;
            slots_.begin(session_);
            quiet_at_ = Time::max();
            dismissed_ = false;
            if (leaving_)
                announce();
        } else if (message.header.command == wire::Command::Rejected && message.header.session == 0) {
            refusal_ = wire::read_rejected(message.body).message;
            switch (static_cast<wire::RejectReason>(message.header.code)) {
            case wire::RejectReason::UnknownSession:
            case wire::RejectReason::TooManyWorkers:
            case wire::RejectReason::Draining: back_off(); break;
            case wire::RejectReason::InvalidRegistration: exit_ = RejectedRegistration; break;
            default: exit_ = Rejected;
            }
        }
    }

    void heard(const wire::Message &message, std::vector<detail::Frame> &frames, const std::string &route) {
        const auto &header = message.header;
        if (header.command == wire::Command::Rejected)
            wire::read_rejected(message.body);
        heard_ = Clock::now();
        switch (header.command) {
        case wire::Command::Job: take(message, frames, route); break;
        case wire::Command::Cancel: cancel(header); break;
        case wire::Command::Drain:
            leaving_ = dismissed_ = true;
            quiet_at_ = heard_;
            break;
        case wire::Command::Disconnect: lose(); break;
        case wire::Command::Rejected:
            if (header.code == static_cast<std::uint16_t>(wire::RejectReason::UnknownSession))
                lose();
            break;
        default: break;
        }
    }

    void take(const wire::Message &message, std::vector<detail::Frame> &frames, const std::string &route) {
        const auto &header = message.header;
        const Key key{header.job, header.attempt};
        if (!seen_.insert(key).second)
            return;
        order_.push_back(key);
        if (order_.size() > std::max<std::size_t>(remembered, worker_.slot_count_ * wire::jobs_per_slot * 2)) {
            seen_.erase(order_.front());
            order_.pop_front();
        }
        if (own_)
            own_->note(key, route);
        if (header.service >= worker_.names_.size())
            return answer(key, wire::ResultCode::UnknownService);
        const bool full = slots_.waiting() >= worker_.slot_count_ * wire::jobs_per_slot;
        if (leaving_ || full)
            return answer(key, wire::ResultCode::Returned);
        auto job = std::make_unique<Job>(key, header.service, session_, heard_ + Millis(header.time), message, std::move(frames));
        slots_.push(std::move(job));
    }

    void cancel(const wire::Header &header) {
        const bool recalled = header.code == static_cast<std::uint16_t>(wire::CancelReason::Recalled);
        const Key key{header.job, header.attempt};
        if (slots_.take_back(key))
            answer(key, recalled ? wire::ResultCode::Returned : wire::ResultCode::Cancelled);
        else if (!recalled)
            slots_.cancel(key);
    }

    // Sends what the slots have finished.
    void deliver() {
        for (auto &done : slots_.finished()) {
            if (done.session == session_ && state_ == State::Up)
                answer(done.key, done.code, std::move(done.body), done.elapsed);
        }
    }

    void answer(Key key, wire::ResultCode code, std::string body = {}, std::uint32_t elapsed = 0) {
        if (body.size() > max_body_) {
            code = wire::ResultCode::TooLarge;
            body.clear();
        }
        wire::Header header{wire::Command::Result};
        header.job = key.job;
        header.attempt = key.attempt;
        header.time = elapsed;
        header.code = static_cast<std::uint16_t>(code);
        std::string route = own_ ? own_->route(key) : std::string();
        send(header, std::move(body), std::move(route));
    }

    void send(wire::Header header, std::string body = {}, std::string route = {}) {
        header.session = session_;
        std::string first = wire::encode(header, body);
        if (body.size() <= wire::inline_body)
            body.clear();
        outbox_.push_back({std::move(route), std::move(first), std::move(body)});
    }

    void flush() {
        while (!outbox_.empty() && dealer_) {
            auto &parcel = outbox_.front();
            auto sent = detail::Sending::Unreachable;
            if (!parcel.route.empty() && own_)
                sent = own_->send(parcel);
            // A connection that is gone leaves the way over the DEALER.
            if (sent == detail::Sending::Unreachable)
                sent = dealer_->send(parcel);
            if (sent == detail::Sending::WouldBlock)
                return;
            outbox_.pop_front();
        }
    }

    void heed_signals() {
        const int count = signals_.count();
        if (count >= 2) {
            if (state_ == State::Up)
                disconnect(wire::DisconnectReason::Shutdown);
            exit_ = Stopped;
        } else if (count == 1 && !told_) {
            told_ = true;
            if (state_ == State::Up && !leaving_)
                announce();
            leaving_ = true;
            for (const Key &key : slots_.take_all_back())
                answer(key, wire::ResultCode::Returned);
        }
    }

    // A job may have crossed DRAIN, so the master's answer is waited for.
    void announce() {
        send({wire::Command::Drain});
        quiet_at_ = Clock::now() + drain_patience;
    }

    void disconnect(wire::DisconnectReason reason) {
        wire::Header header{wire::Command::Disconnect};
        header.code = static_cast<std::uint16_t>(reason);
        // It must not overtake the last RESULT.
        send(header, {}, own_ ? own_->last() : std::string());
    }

    // Leaves once nothing is left to do.
    void settle() {
        if (!leaving_ || exit_ >= 0)
            return;
        if (state_ != State::Up)
            state_ = State::Parted;
        if (!slots_.idle() || (state_ == State::Up && Clock::now() < quiet_at_))
            return;
        deliver();
        if (state_ == State::Up)
            disconnect(wire::DisconnectReason::Drained);
        exit_ = Drained;
    }

    void timers(Time now) {
        // Time in which this process did not run is not held against the master.
        const Time due = next();
        if (now > due) {
            const auto late = now - due;
            heard_ = std::min(heard_ + late, now);
            lost_at_ = std::min(lost_at_ + late, now);
            // What came meanwhile may be more than has been read by now.
            if (late > stopped && quiet_at_ != Time::max() && !dismissed_)
                quiet_at_ = now + drain_patience;
        }
        switch (state_) {
        case State::Backoff:
        case State::Registering:
            if (now >= lost_at_ + worker_.reconnect_limit_)
                exit_ = MasterLost;
            else if (now >= until_)
                state_ == State::Backoff ? open() : back_off();
            break;
        case State::Up:
            if (now >= heard_ + silence_) {
                lose();
            } else if (now >= ping_at_) {
                send({wire::Command::Heartbeat});
                ping_at_ = now + heartbeat_;
            }
            break;
        case State::Parted: break;
        }
    }

    Time next() const {
        switch (state_) {
        case State::Backoff:
        case State::Registering: return std::min(until_, lost_at_ + worker_.reconnect_limit_);
        case State::Up: {
            const Time due = std::min(ping_at_, heard_ + silence_);
            return leaving_ && slots_.idle() ? std::min(due, quiet_at_) : due;
        }
        case State::Parted: break;
        }
        return Time::max();
    }

    void sleep() {
        std::vector<zmq_pollitem_t> items{{nullptr, signals_.fd(), ZMQ_POLLIN, 0}, {nullptr, slots_.fd(), ZMQ_POLLIN, 0}};
        if (dealer_)
            items.push_back({dealer_->get(), 0, ZMQ_POLLIN, 0});
        if (own_ && state_ == State::Up)
            items.push_back({own_->get(), 0, ZMQ_POLLIN, 0});
        long timeout = -1;
        if (const Time due = next(); due != Time::max())
            timeout = std::max<long>(0, static_cast<long>(std::chrono::ceil<Millis>(due - Clock::now()).count()));
        // A message that found no room is tried again soon.
        if (!outbox_.empty())
            timeout = timeout < 0 ? 10 : std::min(timeout, 10L);
        zmq_poll(items.data(), static_cast<int>(items.size()), timeout);
        signals_.drain();
        slots_.drain();
    }

    Worker &worker_;
    detail::Context &context_;
    detail::Signals &signals_;
    detail::OwnSocket *own_;
    detail::Slots slots_;
    std::mt19937_64 random_;
    std::optional<detail::Socket> dealer_;
    std::deque<detail::Parcel> outbox_;
    std::set<Key> seen_;
    std::deque<Key> order_;
    State state_ = State::Backoff;
    std::uint64_t session_ = 0, max_body_ = 0;
    Millis heartbeat_{1000}, silence_{3000};
    Time until_{}, heard_{}, ping_at_{}, registered_at_{}, lost_at_{};
    // From when on no more jobs come: the master has said so, or has had the time to.
    Time quiet_at_ = Time::max();
    unsigned failures_ = 0;
    std::string refusal_;
    bool leaving_ = false, dismissed_ = false, told_ = false;
    int exit_ = -1;
};

inline int Worker::run() {
    if (names_.empty())
        throw std::invalid_argument("a worker without a service");
    const bool near = endpoint_.rfind("tcp://127.", 0) == 0 || endpoint_.rfind("tcp://localhost:", 0) == 0 || endpoint_.rfind("tcp://[::1]:", 0) == 0;
    if (is_tcp() && !near && !curve_ && !insecure_)
        throw std::invalid_argument("'" + endpoint_ + "' leaves this machine without encryption: give curve(), or say insecure()");
    detail::Signals signals;
    detail::Context context;
    std::optional<detail::OwnSocket> own;
    if (!own_path_.empty())
        own.emplace(context, own_path_);
    Life life(*this, context, signals, own ? &*own : nullptr);
    return life.run();
}

} // namespace powerhose
