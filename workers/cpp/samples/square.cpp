// The first Powerhose example: squares a whole number, given and returned as decimal text. The samples in Rust and Python answer every
// input as this one does.
#include <charconv>
#include <iostream>

#include <powerhose/worker.hpp>

static std::string square(powerhose::Job &job) {
    const std::string_view text = job.body();
    const char *end = text.data() + text.size();
    long long number = 0, square = 0;
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec == std::errc::invalid_argument || read.ptr != end)
        throw powerhose::Failure("not a whole number");
    if (read.ec == std::errc::result_out_of_range || __builtin_mul_overflow(number, number, &square))
        throw powerhose::Failure("the square is too large");
    return std::to_string(square);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " ENDPOINT\n";
        return 64;
    }
    try {
        powerhose::Worker worker(argv[1]);
        worker.service("square", square);
        return worker.run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << "\n";
        return 78;
    }
}
