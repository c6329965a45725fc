// The C++ worker of a run: `worker ENDPOINT EXECUTIONS WORK_US`. Its handler is that of worker.py and worker.rs.
#include <algorithm>
#include <iostream>
#include <thread>

#include <powerhose/worker.hpp>

int main(int argc, char **argv) {
    if (argc != 4)
        return 64;
    const int executions = open(argv[2], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (executions < 0) {
        std::cerr << "error: " << argv[2] << ": " << std::strerror(errno) << "\n";
        return 73;
    }
    const auto work = std::chrono::microseconds(std::stol(argv[3]));
    powerhose::Worker worker(argv[1]);
    worker.service("", [&](powerhose::Job &job) {
        const std::string_view body = job.body();
        if (body.size() < 8)
            throw powerhose::Failure("not a payload of this run");
        std::uint64_t number = 0;
        for (const unsigned char byte : body.substr(0, 8))
            number = number << 8 | byte;
        // At once and in one piece: it outlives a kill.
        const std::string line = std::to_string(number) + " " + std::to_string(job.key().attempt) + "\n";
        if (write(executions, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            throw powerhose::Failure("the execution cannot be written down");
        std::this_thread::sleep_for(work);
        return std::string(body.rbegin(), body.rend());
    });
    return worker.run();
}
