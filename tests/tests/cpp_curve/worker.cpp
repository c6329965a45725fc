// A worker that may have keys: `worker ENDPOINT [SERVER_PUBLIC OWN_SECRET]`. It answers with what it was given and its process id.
#include <iostream>

#include <powerhose/worker.hpp>

int main(int argc, char **argv) {
    if (argc != 2 && argc != 4)
        return 64;
    try {
        powerhose::Worker worker(argv[1]);
        if (argc == 4)
            worker.curve(powerhose::Curve::read(argv[2], argv[3]));
        worker.service("", [](powerhose::Job &job) { return std::string(job.body()) + " " + std::to_string(getpid()); });
        return worker.run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << "\n";
        return 78;
    }
}
