// A small worker over the SDK's codec, with one bug: `broken ENDPOINT BUG`.
#include <cstdlib>
#include <iostream>
#include <set>

#include <powerhose/job.hpp>
#include <powerhose/socket.hpp>
#include <unistd.h>

using namespace powerhose;

static void send(detail::Socket &socket, wire::Header header, std::string body) {
    detail::Parcel parcel{{}, wire::encode(header, body), {}};
    if (body.size() > wire::inline_body)
        parcel.body = std::move(body);
    socket.send(parcel);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    const std::string bug = argv[2];
    const std::set<std::string> bugs{"own-routing-id", "no-backoff", "dies-of-rejection", "inline-only", "wrong-attempt"};
    if (bugs.count(bug) == 0)
        return 64;
    detail::Context context;
    for (unsigned backoff = 50;; backoff *= 2) {
        detail::Socket socket(context, ZMQ_DEALER, 0);
        if (bug == "own-routing-id")
            zmq_setsockopt(socket.get(), ZMQ_ROUTING_ID, "me", 2);
        socket.connect(argv[1]);
        send(socket, {wire::Command::Register}, R"({"services":["conformance","echo"]})");
        for (bool up = true; up;) {
            zmq_pollitem_t item{socket.get(), 0, ZMQ_POLLIN, 0};
            zmq_poll(&item, 1, -1);
            const auto frames = socket.receive();
            if (!frames)
                continue;
            std::vector<std::string_view> views;
            for (const auto &frame : *frames)
                views.push_back(frame.view());
            const auto message = wire::decode(views, wire::Direction::ToWorker, SIZE_MAX);
            if (message.header.command == wire::Command::Rejected) {
                if (bug == "dies-of-rejection")
                    return 1;
                up = false;
            } else if (message.header.command == wire::Command::Job) {
                auto header = message.header;
                header.command = wire::Command::Result;
                header.time = header.service = 0;
                if (bug == "wrong-attempt")
                    header.attempt = 1;
                std::string body(message.body);
                if (bug == "inline-only" && message.header.flags & wire::BodyFrame)
                    body.clear();
                if (message.header.service == 0)
                    body = body.substr(body.find(' ') + 1);
                send(socket, header, std::move(body));
            }
        }
        if (bug != "no-backoff")
            usleep(backoff * 900);
    }
}
