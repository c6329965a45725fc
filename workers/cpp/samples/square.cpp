// The first Powerhose example: squares a number.
#include <iostream>

#include <powerhose/worker.hpp>

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " ENDPOINT\n";
        return 64;
    }
    try {
        powerhose::Worker worker(argv[1]);
        worker.service("square", [](powerhose::Job &job) {
            const std::string text(job.body());
            try {
                const long long number = std::stoll(text);
                return std::to_string(number * number);
            } catch (const std::logic_error &) {
                throw powerhose::Failure("'" + text + "' is no number");
            }
        });
        return worker.run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << "\n";
        return 78;
    }
}
