// The threads that run handlers, and the jobs that wait for them.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "job.hpp"
#include "signals.hpp"

namespace powerhose::detail {

struct Finished {
    Key key;
    std::uint64_t session;
    wire::ResultCode code;
    std::string body;
    std::uint32_t elapsed;
};

class Slots {
  public:
    Slots(unsigned count, const std::vector<Handler> &handlers) : shared_(std::make_shared<Shared>()) {
        shared_->handlers = handlers;
        shared_->running.resize(count);
        for (unsigned slot = 0; slot < count; ++slot)
            threads_.emplace_back([shared = shared_, slot] { work(*shared, slot); });
    }
    // Waits for the threads if none of them is in a handler. Those that are see that they are cancelled; their results go nowhere.
    ~Slots() {
        bool free;
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->closed = true;
            shared_->waiting.clear();
            free = true;
            for (const auto &job : shared_->running) {
                free = free && !job;
                if (job)
                    job->cancel();
            }
            shared_->wanted.notify_all();
        }
        for (auto &thread : threads_)
            free ? thread.join() : thread.detach();
    }
    Slots(const Slots &) = delete;
    Slots &operator=(const Slots &) = delete;

    int fd() const { return shared_->pipe.fd(); }
    void drain() const { shared_->pipe.drain(); }

    void begin(std::uint64_t session) {
        const std::lock_guard lock(shared_->mutex);
        shared_->session = session;
    }
    std::size_t waiting() const {
        const std::lock_guard lock(shared_->mutex);
        return shared_->waiting.size();
    }
    void push(std::unique_ptr<Job> job) {
        const std::lock_guard lock(shared_->mutex);
        shared_->waiting.push_back(std::move(job));
        shared_->wanted.notify_one();
    }
    // Takes a job out of those that wait.
    bool take_back(Key key) {
        const std::lock_guard lock(shared_->mutex);
        auto &waiting = shared_->waiting;
        const auto found = std::find_if(waiting.begin(), waiting.end(), [&](const auto &job) { return job->key() == key; });
        if (found == waiting.end())
            return false;
        waiting.erase(found);
        return true;
    }
    std::vector<Key> take_all_back() {
        const std::lock_guard lock(shared_->mutex);
        std::vector<Key> keys;
        for (const auto &job : shared_->waiting)
            keys.push_back(job->key());
        shared_->waiting.clear();
        return keys;
    }
    // Tells the handler of a running job.
    void cancel(Key key) {
        const std::lock_guard lock(shared_->mutex);
        for (const auto &job : shared_->running)
            if (job && job->key() == key && job->session() == shared_->session)
                job->cancel();
    }
    // The session is over: what waits is forgotten, what runs is cancelled, and results of it are dropped.
    void abandon() {
        const std::lock_guard lock(shared_->mutex);
        shared_->session = 0;
        shared_->waiting.clear();
        shared_->finished.clear();
        for (const auto &job : shared_->running)
            if (job)
                job->cancel();
    }
    std::vector<Finished> finished() {
        const std::lock_guard lock(shared_->mutex);
        return std::exchange(shared_->finished, {});
    }
    // Whether nothing waits and nothing runs. What is finished may still be there.
    bool idle() const {
        const std::lock_guard lock(shared_->mutex);
        return shared_->waiting.empty() && std::none_of(shared_->running.begin(), shared_->running.end(), [](const auto &job) { return job != nullptr; });
    }

  private:
    struct Shared {
        std::mutex mutex;
        std::condition_variable wanted;
        std::deque<std::unique_ptr<Job>> waiting;
        std::vector<std::shared_ptr<Job>> running;
        std::vector<Finished> finished;
        std::vector<Handler> handlers;
        std::uint64_t session = 0;
        bool closed = false;
        WakePipe pipe;
    };

    static void work(Shared &shared, unsigned slot) {
        std::unique_lock lock(shared.mutex);
        for (;;) {
            shared.wanted.wait(lock, [&] { return shared.closed || !shared.waiting.empty(); });
            if (shared.closed)
                return;
            const std::shared_ptr<Job> job = std::move(shared.waiting.front());
            shared.waiting.pop_front();
            shared.running[slot] = job;
            lock.unlock();
            Finished done = answer(shared, *job);
            lock.lock();
            shared.running[slot] = nullptr;
            shared.finished.push_back(std::move(done));
            shared.pipe.wake();
        }
    }

    static Finished answer(const Shared &shared, Job &job) {
        Finished done{job.key(), job.session(), wire::ResultCode::Expired, {}, 0};
        const auto started = Job::Clock::now();
        if (started >= job.deadline())
            return done;
        try {
            done.body = shared.handlers[job.service()](job);
            done.code = wire::ResultCode::Ok;
        } catch (const Failure &failure) {
            done.code = wire::ResultCode::Failed;
            done.body = failure.what();
        } catch (const Cancelled &) {
            done.code = wire::ResultCode::Cancelled;
        } catch (const std::exception &error) {
            done.code = wire::ResultCode::Panicked;
            done.body = error.what();
        } catch (...) {
            done.code = wire::ResultCode::Panicked;
            done.body = "an exception without a text";
        }
        const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Job::Clock::now() - started).count();
        done.elapsed = static_cast<std::uint32_t>(std::min<long long>(took, UINT32_MAX));
        return done;
    }

    std::shared_ptr<Shared> shared_;
    std::vector<std::thread> threads_;
};

} // namespace powerhose::detail
