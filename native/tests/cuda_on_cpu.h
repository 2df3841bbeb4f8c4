// As much of CUDA as path_kernel.h uses: a block's threads are threads, blocks come one by one.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#define __global__
#define __shared__

struct Index {
    unsigned x = 0;
};

inline thread_local Index threadIdx, blockIdx, blockDim;

class Block {
  public:
    explicit Block(unsigned threads) : threads_(threads), missing_(threads) {}

    // Waits for all threads; whether any of them brought something.
    bool meet(bool brought) {
        std::unique_lock<std::mutex> lock(mutex_);
        gathered_ = gathered_ || brought;
        const unsigned round = round_;
        if (--missing_ == 0) {
            missing_ = threads_;
            result_ = gathered_;
            gathered_ = false;
            ++round_;
            all_here_.notify_all();
        } else {
            all_here_.wait(lock, [&] { return round != round_; });
        }
        return result_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable all_here_;
    unsigned threads_, missing_, round_ = 0;
    bool gathered_ = false, result_ = false;
};

inline thread_local Block *current_block = nullptr;

inline void __syncthreads() { current_block->meet(false); }
inline int __syncthreads_or(int value) { return current_block->meet(value != 0); }

template <typename Kernel, typename Argument>
void launch(Kernel kernel, unsigned blocks, unsigned threads, const Argument &argument) {
    for (unsigned index = 0; index < blocks; ++index) {
        Block block(threads);
        std::vector<std::thread> running;
        for (unsigned thread = 0; thread < threads; ++thread)
            running.emplace_back([&, thread] {
                threadIdx.x = thread;
                blockIdx.x = index;
                blockDim.x = threads;
                current_block = &block;
                kernel(argument);
            });
        for (std::thread &thread : running) thread.join();
    }
}
