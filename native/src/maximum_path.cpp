// The reference: each row by itself, rows shared out to threads.
#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "path_rules.h"

namespace autovoice {
namespace {

constexpr int64_t kTileFrames = 16;           // of float32: one cache line of a row
constexpr int64_t kCellsPerThread = 1 << 17;  // about the work that starting a thread costs

struct Job {
    const float *values;
    int64_t batch, text, mel, strides[3];
    const int32_t *text_lengths, *mel_lengths;
    int32_t *tokens;
};

// Memory of one thread, used again for each of its rows.
struct Scratch {
    std::vector<float> columns, tile;
    std::vector<uint8_t> moved;
};

// One frame's sums from the last one's. Index 0 stands before the first token.
bool step(const float *before, const float *values, float *sums, uint8_t *moved, Band tokens) {
    int unusable = 0;
    for (int64_t token = tokens.first; token < tokens.end; ++token) {
        const bool move = moves(before[token], before[token + 1]);
        sums[token + 1] = (move ? before[token] : before[token + 1]) + values[token];
        moved[token] = move;
        unusable |= !usable(values[token]);
    }
    return !unusable;
}

int32_t align(const Job &job, int64_t row, Scratch &scratch) {
    const int64_t tokens = job.text_lengths[row], frames = job.mel_lengths[row];
    if (!lengths_fit(tokens, frames, job.text, job.mel)) return AUTOVOICE_BAD_LENGTHS;
    const float *values = job.values + row * job.strides[0];
    const int64_t across = job.strides[1], along = job.strides[2];

    scratch.columns.assign(2 * (tokens + 1), kImpossible);
    scratch.moved.resize(std::max<size_t>(scratch.moved.size(), tokens * frames));
    if (across != 1) scratch.tile.resize(std::max<size_t>(scratch.tile.size(), kTileFrames * tokens));
    float *before = scratch.columns.data(), *sums = before + tokens + 1;
    before[0] = 0;

    bool fine = true;
    for (int64_t start = 0; start < frames; start += kTileFrames) {
        const int64_t count = std::min(kTileFrames, frames - start);
        if (across != 1) {
            // Frames lie side by side in memory and tokens far apart: turn a few frames
            // at once, so that each cache line is fetched once and the steps run through memory.
            const int64_t first = band(start, tokens, frames).first;
            const int64_t end = band(start + count - 1, tokens, frames).end;
            for (int64_t token = first; token < end; ++token)
                for (int64_t frame = 0; frame < count; ++frame)
                    scratch.tile[frame * tokens + token] =
                        values[token * across + (start + frame) * along];
        }
        for (int64_t frame = start; frame < start + count; ++frame) {
            const float *column = across == 1 ? values + frame * along
                                              : scratch.tile.data() + (frame - start) * tokens;
            fine &= step(before, column, sums, scratch.moved.data() + frame * tokens,
                         band(frame, tokens, frames));
            sums[0] = kImpossible;
            std::swap(before, sums);
        }
    }
    if (!fine) return AUTOVOICE_BAD_VALUE;
    trace_back(scratch.moved.data(), tokens, frames, job.mel, job.tokens + row * job.mel);
    return AUTOVOICE_OK;
}

// Rows as long as there are any; the first fault by row is what counts.
class Workers {
  public:
    explicit Workers(const Job &job) : job_(job), faults_(job.batch, AUTOVOICE_OK) {}

    void run(int64_t threads) {
        std::vector<std::thread> others;
        others.reserve(threads);
        try {
            while (static_cast<int64_t>(others.size()) + 1 < threads)
                others.emplace_back([this] { work(); });
        } catch (const std::system_error &) {
            // No more threads to be had: those that there are do it.
        }
        work();
        for (std::thread &other : others) other.join();
    }

    int32_t status(int64_t *fault_row) const {
        const auto fault = std::find_if(faults_.begin(), faults_.end(),
                                        [](int32_t status) { return status != AUTOVOICE_OK; });
        if (fault == faults_.end()) return AUTOVOICE_OK;
        *fault_row = fault - faults_.begin();
        return *fault;
    }

  private:
    void work() noexcept {
        Scratch scratch;
        for (int64_t row; (row = next_.fetch_add(1, std::memory_order_relaxed)) < job_.batch;) {
            try {
                faults_[row] = align(job_, row, scratch);
            } catch (const std::exception &) {  // bad_alloc, or length_error before it
                faults_[row] = AUTOVOICE_NO_MEMORY;
            }
        }
    }

    const Job &job_;
    std::vector<int32_t> faults_;
    std::atomic<int64_t> next_{0};
};

int64_t useful_threads(const Job &job, int64_t threads) {
    int64_t cells = 0;
    for (int64_t row = 0; row < job.batch; ++row) {
        const int64_t tokens = job.text_lengths[row], frames = job.mel_lengths[row];
        if (lengths_fit(tokens, frames, job.text, job.mel)) cells += tokens * frames;
    }
    return std::max<int64_t>(1, std::min({threads, job.batch, 1 + cells / kCellsPerThread}));
}

}  // namespace
}  // namespace autovoice

extern "C" int32_t autovoice_abi(void) { return AUTOVOICE_ABI; }

extern "C" int32_t autovoice_maximum_path(const float *values, int64_t batch, int64_t text,
                                          int64_t mel, const int64_t strides[3],
                                          const int32_t *text_lengths, const int32_t *mel_lengths,
                                          int32_t *tokens, int32_t threads, int64_t *fault_row) {
    using namespace autovoice;
    if (!shape_fits(batch, text, mel)) return AUTOVOICE_BAD_SHAPE;
    if (batch == 0) return AUTOVOICE_OK;
    if (!values || !strides || !text_lengths || !mel_lengths || !tokens || !fault_row)
        return AUTOVOICE_BAD_SHAPE;
    try {
        const Job job{values,       batch,       text,  mel, {strides[0], strides[1], strides[2]},
                      text_lengths, mel_lengths, tokens};
        Workers workers(job);
        workers.run(useful_threads(job, threads));
        return workers.status(fault_row);
    } catch (const std::exception &) {
        return AUTOVOICE_NO_MEMORY;
    }
}
