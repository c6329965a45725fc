// The right to listen at an ipc path.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace powerhose::detail {

// libzmq removes whatever file it finds at the path before it binds, so a second one would silently steal the first one's peers.
// Whoever binds holds the lock on PATH.lock until the socket is closed; the Rust and Python sides do the same.
class Claim {
  public:
    // Throws std::runtime_error, which names the path and the remedy.
    explicit Claim(std::string path) : path_(std::move(path)), lock_path_(path_ + ".lock") {
        check_directory();
        lock_ = take();
        try {
            clear_path();
        } catch (...) {
            unlock();
            throw;
        }
    }
    ~Claim() {
        ::unlink(path_.c_str());
        unlock();
    }
    Claim(const Claim &) = delete;
    Claim &operator=(const Claim &) = delete;

  private:
    [[noreturn]] void refuse(const std::string &why) const { throw std::runtime_error("the socket " + path_ + " cannot be had: " + why); }

    // Makes the directory if it is missing, for its owner alone.
    void check_directory() const {
        const auto slash = path_.find_last_of('/');
        const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
        if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
            refuse("cannot make " + directory + ": " + std::strerror(errno));
        struct stat found {};
        if (::stat(directory.c_str(), &found) != 0)
            refuse(directory + ": " + std::strerror(errno));
        // With the sticky bit, as on /tmp, others cannot rename or remove what is ours.
        if ((found.st_mode & 0022) != 0 && (found.st_mode & S_ISVTX) == 0)
            refuse("others may replace files in " + directory + ": chmod go-w it or choose a private directory");
    }

    int take() const {
        for (;;) {
            const int lock = ::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
            if (lock < 0)
                refuse(lock_path_ + ": " + std::strerror(errno));
            if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
                ::close(lock);
                refuse("it is in use, stop that one or choose another path");
            }
            // The one before removes the file when it releases: a lock on a removed file is worth nothing.
            struct stat held {}, found {};
            if (::fstat(lock, &held) == 0 && ::stat(lock_path_.c_str(), &found) == 0 && held.st_ino == found.st_ino) {
                const std::string pid = std::to_string(::getpid()) + "\n";
                // Only people read it.
                if (::ftruncate(lock, 0) != 0 || ::write(lock, pid.data(), pid.size()) < 0)
                    errno = 0;
                return lock;
            }
            ::close(lock);
        }
    }

    // Removes a socket that nobody listens at any more.
    void clear_path() const {
        struct stat found {};
        if (::lstat(path_.c_str(), &found) != 0)
            return;
        if (!S_ISSOCK(found.st_mode))
            refuse("it exists and is not a socket, move it away or choose another path");
        if (somebody_listens())
            refuse("it is in use, stop that one or choose another path");
        ::unlink(path_.c_str());
    }

    // A program that knows nothing of the lock may.
    bool somebody_listens() const {
        sockaddr_un address{};
        if (path_.size() >= sizeof address.sun_path)
            return false;
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.c_str(), path_.size());
        const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const bool listens = probe >= 0 && ::connect(probe, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
        if (probe >= 0)
            ::close(probe);
        return listens;
    }

    void unlock() {
        ::unlink(lock_path_.c_str());
        ::close(lock_);
    }

    std::string path_, lock_path_;
    int lock_ = -1;
};

} // namespace powerhose::detail
