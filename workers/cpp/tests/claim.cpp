// Who may listen at an ipc path. `claim DIRECTORY` exits with 1, and says why, if a rule is not kept.
#include <powerhose/claim.hpp>

#include <fstream>
#include <iostream>
#include <memory>

using powerhose::detail::Claim;

static int failures = 0;

static void expect(bool holds, const std::string &what) {
    if (!holds) {
        std::cerr << "not so: " << what << '\n';
        ++failures;
    }
}

// Why the path cannot be had; empty if it can.
static std::string refusal(const std::string &path) {
    try {
        Claim claim(path);
        return "";
    } catch (const std::runtime_error &error) {
        return error.what();
    }
}

static bool says(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

// A socket that somebody listens at as long as the descriptor is open.
static int listen_at(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (::bind(socket, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || ::listen(socket, 1) != 0)
        throw std::runtime_error("cannot listen at " + path);
    return socket;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 64;
    const std::string directory = std::string(argv[1]) + "/private", path = directory + "/socket";
    struct stat found {};

    auto first = std::make_unique<Claim>(path);
    ::stat(directory.c_str(), &found);
    expect((found.st_mode & 0777) == 0700, "the directory is the owner's alone");
    ::stat((path + ".lock").c_str(), &found);
    expect((found.st_mode & 0777) == 0600, "the lock is the owner's alone");
    expect(says(refusal(path), path) && says(refusal(path), "in use"), "a path that is held is refused by name");
    first.reset();
    expect(::stat((path + ".lock").c_str(), &found) != 0, "the lock goes with its holder");

    const int socket = listen_at(path);
    expect(says(refusal(path), "in use"), "a path where somebody listens without a lock is refused");
    ::close(socket);
    expect(refusal(path).empty(), "a socket that was left behind is no obstacle");
    expect(::lstat(path.c_str(), &found) != 0, "and is removed");

    std::ofstream(path) << "precious";
    expect(says(refusal(path), "not a socket"), "a file is refused");
    expect(::lstat(path.c_str(), &found) == 0 && found.st_size == 8, "and stays as it is");
    ::unlink(path.c_str());

    ::chmod(directory.c_str(), 0777);
    expect(says(refusal(path), "chmod go-w"), "a directory that others may write to is refused");
    return failures == 0 ? 0 : 1;
}
