#include <powerhose/worker.hpp>

int main(int, char **argv) {
    powerhose::Worker worker(argv[1]);
    worker.service("shout", [](powerhose::Job &job) { return std::string(job.body()) + "!"; });
    return worker.run();
}
