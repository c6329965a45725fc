// SIGTERM and SIGINT, and durations from the environment.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace powerhose::detail {

// A pipe whose end can be polled; whoever writes to it wakes the poller.
class WakePipe {
  public:
    WakePipe() {
        if (pipe(ends_) != 0)
            throw std::runtime_error("no pipe");
        for (const int end : ends_) {
            fcntl(end, F_SETFL, O_NONBLOCK);
            fcntl(end, F_SETFD, FD_CLOEXEC);
        }
    }
    ~WakePipe() {
        close(ends_[0]);
        close(ends_[1]);
    }
    WakePipe(const WakePipe &) = delete;
    WakePipe &operator=(const WakePipe &) = delete;
    int fd() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    // A full pipe wakes as well as one byte more.
    void wake() const { (void)!write(ends_[1], "!", 1); }
    void drain() const {
        char bytes[256];
        while (read(ends_[0], bytes, sizeof bytes) > 0) {
        }
    }

  private:
    int ends_[2];
};

// Counts the signals that tell a worker to leave, for as long as it lives.
class Signals {
  public:
    Signals() {
        counted() = 0;
        writer() = pipe_.writer();
        struct sigaction action {};
        action.sa_handler = [](int) {
            const int saved = errno;
            ++counted();
            (void)!write(writer(), "!", 1);
            errno = saved;
        };
        action.sa_flags = SA_RESTART;
        sigaction(SIGTERM, &action, &term_);
        sigaction(SIGINT, &action, &int_);
    }
    ~Signals() {
        sigaction(SIGTERM, &term_, nullptr);
        sigaction(SIGINT, &int_, nullptr);
    }
    Signals(const Signals &) = delete;
    Signals &operator=(const Signals &) = delete;
    int count() const { return counted(); }
    int fd() const { return pipe_.fd(); }
    void drain() const { pipe_.drain(); }

  private:
    static std::atomic<int> &counted() {
        static std::atomic<int> count{0};
        return count;
    }
    static std::atomic<int> &writer() {
        static std::atomic<int> fd{-1};
        return fd;
    }
    WakePipe pipe_;
    struct sigaction term_ {}, int_ {};
};

// Reads a duration such as 500ms, 5s, 2m.
inline std::chrono::milliseconds parse_duration(const std::string &text) {
    std::size_t end = 0;
    double value = -1;
    try {
        value = std::stod(text, &end);
    } catch (const std::exception &) {
    }
    const std::string unit = text.substr(end);
    const double factor = unit == "ms" ? 1 : unit == "s" ? 1e3 : unit == "m" || unit == "min" ? 6e4 : unit == "h" ? 3.6e6 : -1;
    if (!(value >= 0) || factor < 0 || value * factor > 1e12)
        throw std::invalid_argument("'" + text + "' is no duration: write 500ms, 5s or 2m");
    return std::chrono::milliseconds(static_cast<long long>(value * factor));
}

} // namespace powerhose::detail
