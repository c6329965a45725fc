// The worker's own socket, where the master brings jobs if the worker wants it so.
#pragma once

#include "claim.hpp"
#include "job.hpp"
#include "socket.hpp"

namespace powerhose::detail {

class OwnSocket {
  public:
    // Listens at a path that no other worker uses.
    OwnSocket(const Context &context, const std::string &path) : claim_(path), socket_(context, ZMQ_ROUTER, 1000) {
        socket_.set(ZMQ_ROUTER_MANDATORY, 1);
        if (zmq_bind(socket_.get(), ("ipc://" + path).c_str()) != 0)
            throw std::runtime_error("cannot listen at " + path + ": " + zmq_strerror(zmq_errno()));
    }
    OwnSocket(const OwnSocket &) = delete;
    OwnSocket &operator=(const OwnSocket &) = delete;

    void *get() const { return socket_.get(); }

    // What came over connections of earlier registrations is void: the master has given it to others.
    void reset() {
        routes_.clear();
        last_.clear();
        if (!current_.empty())
            old_.insert(std::move(current_));
        current_.clear();
        while (auto frames = socket_.receive(5))
            old_.insert(std::string((*frames)[0].view()));
    }

    // A message and the connection that it came over.
    std::optional<std::pair<std::string, std::vector<Frame>>> receive() {
        for (;;) {
            auto frames = socket_.receive(5);
            if (!frames)
                return std::nullopt;
            std::string route((*frames)[0].view());
            if (old_.count(route) != 0)
                continue;
            current_ = route;
            std::vector<Frame> rest;
            for (std::size_t i = 1; i < frames->size(); ++i)
                rest.push_back(std::move((*frames)[i]));
            return std::pair(std::move(route), std::move(rest));
        }
    }

    void note(Key key, const std::string &route) {
        if (!route.empty())
            routes_[key] = route;
    }
    // Where the RESULT of this attempt goes.
    std::string route(Key key) {
        const auto found = routes_.find(key);
        if (found == routes_.end())
            return {};
        last_ = std::move(found->second);
        routes_.erase(found);
        return last_;
    }
    // Where the last RESULT went.
    const std::string &last() const { return last_; }

    Sending send(Parcel &parcel) { return socket_.send(parcel, true); }
    void close() { socket_.close(1000); }

  private:
    // Declared before the socket: the path is given up after the socket is closed.
    Claim claim_;
    Socket socket_;
    std::map<Key, std::string> routes_;
    std::set<std::string> old_;
    std::string current_, last_;
};

} // namespace powerhose::detail
