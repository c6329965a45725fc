// libzmq's C API with owners.
#pragma once

#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "wire.hpp"

namespace powerhose {

// The keys of an encrypted connection, each 40 characters of Z85.
struct Curve {
    std::string server_key, public_key, secret_key;

    // Reads files as `powerhose keygen` writes them: the master's public key and the worker's secret one, which nobody else may read.
    // Throws std::runtime_error for a file that holds no key or is open to others.
    static Curve read(const std::string &server_public, const std::string &own_secret) {
        struct stat found {};
        if (::stat(own_secret.c_str(), &found) == 0 && (found.st_mode & 077) != 0)
            throw std::runtime_error("others may use " + own_secret + ": chmod 600 it");
        Curve curve{first_key(server_public), std::string(40, ' '), first_key(own_secret)};
        char own[41];
        if (zmq_curve_public(own, curve.secret_key.c_str()) != 0)
            throw std::runtime_error(own_secret + " holds no secret key, or this libzmq was built without CURVE");
        curve.public_key = own;
        return curve;
    }

  private:
    static std::string first_key(const std::string &path) {
        static constexpr std::string_view z85 =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
        std::ifstream file(path);
        if (!file)
            throw std::runtime_error("the key file " + path + " cannot be read");
        for (std::string line; std::getline(file, line);) {
            while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
                line.pop_back();
            if (line.size() == 40 && line.find_first_not_of(z85) == std::string::npos)
                return line;
        }
        throw std::runtime_error("the key file " + path + " holds no key of 40 characters");
    }
};

namespace detail {

[[noreturn]] inline void fail(const std::string &what) { throw std::runtime_error(what + ": " + zmq_strerror(zmq_errno())); }

class Context {
  public:
    Context() : raw_(zmq_ctx_new()) {
        if (!raw_)
            fail("no libzmq context");
    }
    ~Context() { zmq_ctx_term(raw_); }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;
    void *get() const { return raw_; }

  private:
    void *raw_;
};

// One frame. Moving it moves the bytes of a small one.
class Frame {
  public:
    Frame() { zmq_msg_init(&raw_); }
    ~Frame() { zmq_msg_close(&raw_); }
    Frame(Frame &&other) noexcept : Frame() { zmq_msg_move(&raw_, &other.raw_); }
    Frame &operator=(Frame &&other) noexcept {
        zmq_msg_move(&raw_, &other.raw_);
        return *this;
    }
    zmq_msg_t *raw() { return &raw_; }
    std::string_view view() const {
        auto *raw = const_cast<zmq_msg_t *>(&raw_);
        return {static_cast<const char *>(zmq_msg_data(raw)), zmq_msg_size(raw)};
    }

  private:
    mutable zmq_msg_t raw_;
};

// A message on its way out. A body that is large is moved into libzmq, not copied.
struct Parcel {
    std::string route, first, body;
};

enum class Sending { Sent, WouldBlock, Unreachable };

class Socket {
  public:
    Socket(const Context &context, int type, int linger) : raw_(zmq_socket(context.get(), type)) {
        if (!raw_)
            fail("no socket");
        set(ZMQ_LINGER, linger);
    }
    ~Socket() {
        if (raw_)
            zmq_close(raw_);
    }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    void *get() const { return raw_; }
    void set(int option, int value) {
        if (zmq_setsockopt(raw_, option, &value, sizeof value) != 0)
            fail("a socket option");
    }
    void connect(const std::string &endpoint) {
        set(ZMQ_IPV6, endpoint.find('[') != std::string::npos);
        if (zmq_connect(raw_, endpoint.c_str()) != 0)
            fail("cannot connect to " + endpoint);
    }
    void encrypt(const Curve &curve) {
        const std::pair<int, const std::string &> keys[] = {
            {ZMQ_CURVE_SERVERKEY, curve.server_key}, {ZMQ_CURVE_PUBLICKEY, curve.public_key}, {ZMQ_CURVE_SECRETKEY, curve.secret_key}};
        for (const auto &[option, key] : keys)
            if (zmq_setsockopt(raw_, option, key.c_str(), key.size() + 1) != 0)
                throw std::runtime_error("a CURVE key is none, or this libzmq was built without CURVE");
    }
    // Closes the socket; what was sent goes out for this many milliseconds more.
    void close(int linger) {
        set(ZMQ_LINGER, linger);
        zmq_close(raw_);
        raw_ = nullptr;
    }

    // The frames of a message, if one is there. Of more frames than a message may have, one is kept: enough to see that they are too many.
    std::optional<std::vector<Frame>> receive(std::size_t most = 4) {
        std::vector<Frame> frames;
        for (;;) {
            Frame frame;
            if (zmq_msg_recv(frame.raw(), raw_, ZMQ_DONTWAIT) < 0) {
                if (zmq_errno() == EINTR)
                    continue;
                return std::nullopt;
            }
            const bool more = zmq_msg_more(frame.raw()) != 0;
            if (frames.size() < most)
                frames.push_back(std::move(frame));
            if (!more)
                return frames;
        }
    }

    // Sends without blocking. A parcel that finds no room is unchanged.
    Sending send(Parcel &parcel, bool routed = false) {
        if (routed && !put(parcel.route.data(), parcel.route.size(), true))
            return zmq_errno() == EAGAIN ? Sending::WouldBlock : Sending::Unreachable;
        if (!put(parcel.first.data(), parcel.first.size(), !parcel.body.empty()))
            return !routed && zmq_errno() == EAGAIN ? Sending::WouldBlock : Sending::Unreachable;
        if (!parcel.body.empty()) {
            auto body = std::make_unique<std::string>(std::move(parcel.body));
            zmq_msg_t frame;
            const auto release = [](void *, void *owner) { delete static_cast<std::string *>(owner); };
            std::string *owner = body.get();
            if (zmq_msg_init_data(&frame, owner->data(), owner->size(), release, owner) != 0)
                fail("out of memory");
            body.release();
            while (zmq_msg_send(&frame, raw_, ZMQ_DONTWAIT) < 0) {
                if (zmq_errno() == EINTR)
                    continue;
                zmq_msg_close(&frame);
                break;
            }
        }
        return Sending::Sent;
    }

  private:
    bool put(const void *data, std::size_t size, bool more) {
        for (;;) {
            if (zmq_send(raw_, data, size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0)
                return true;
            if (zmq_errno() != EINTR)
                return false;
        }
    }

    void *raw_;
};

} // namespace detail
} // namespace powerhose

