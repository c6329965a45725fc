// A crypto worker that stands beside the Rust one in a pool: it verifies BrowserID assertions and issues tokenlib tokens, over OpenSSL 3.
#include <iostream>

#include <powerhose/worker.hpp>

#include "browserid.hpp"
#include "token.hpp"

// What is no request of the service is told to the caller; everything else that is thrown is a defect.
static powerhose::Handler handler(std::string (*handle)(std::string_view)) {
    return [handle](powerhose::Job &job) {
        try {
            return handle(job.body());
        } catch (const crypto::NoRequest &error) {
            throw powerhose::Failure(error.what());
        }
    };
}

int main(int argc, char **argv) {
    if (argc < 2) {
        std::cerr << "usage: " << argv[0] << " ENDPOINT [SLOTS [SERVICE...]]\n";
        return 64;
    }
    const std::map<std::string, std::string (*)(std::string_view)> known{{"browserid-verify", crypto::browserid::handle},
                                                                        {"token-issue", crypto::token::handle}};
    std::vector<std::string> services(argv + std::min(argc, 3), argv + argc);
    if (services.empty())
        services = {"browserid-verify", "token-issue"};
    try {
        powerhose::Worker worker(argv[1]);
        if (argc > 2)
            worker.slots(static_cast<unsigned>(std::stoul(argv[2])));
        for (const auto &service : services) {
            const auto found = known.find(service);
            if (found == known.end())
                throw std::invalid_argument("'" + service + "' is none of browserid-verify and token-issue");
            worker.service(service, handler(found->second));
        }
        return worker.run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << "\n";
        return 78;
    }
}
