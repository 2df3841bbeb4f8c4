// Random ragged batches through the reference and through the CUDA kernel, run on the CPU.
// Built with sanitizers, it finds reads past arrays, races and undefined behaviour in both.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "cuda_on_cpu.h"
// After what stands in for CUDA.
#include "../src/path_kernel.h"

namespace autovoice {
float shared_columns[4096];
}

namespace {

using autovoice::DeviceJob;

struct Batch {
    int64_t rows, text, mel;
    std::vector<int32_t> texts, mels;
    std::vector<float> values;
};

Batch random_batch(std::mt19937 &random) {
    const auto upto = [&](int64_t most) { return 1 + static_cast<int64_t>(random() % most); };
    Batch batch{upto(5), upto(24), upto(60), {}, {}, {}};
    for (int64_t row = 0; row < batch.rows; ++row) {
        const int64_t tokens = upto(std::min(batch.text, batch.mel));
        batch.texts.push_back(static_cast<int32_t>(tokens));
        batch.mels.push_back(static_cast<int32_t>(tokens + upto(batch.mel - tokens + 1) - 1));
    }
    const bool ties = random() % 2;
    std::normal_distribution<float> normal;
    for (int64_t cell = 0; cell < batch.rows * batch.text * batch.mel; ++cell)
        batch.values.push_back(random() % 50 == 0 ? autovoice::kImpossible
                               : ties             ? static_cast<float>(random() % 3)
                                                  : normal(random));
    // Sometimes a fault: more tokens than frames, or a NaN, which may or may not be in the way.
    if (random() % 8 == 0) batch.texts[random() % batch.rows] = static_cast<int32_t>(batch.mel) + 1;
    if (random() % 8 == 0) batch.values[random() % batch.values.size()] = NAN;
    return batch;
}

struct Answer {
    int32_t status = AUTOVOICE_OK;
    int64_t row = -1;
    std::vector<int32_t> tokens;

    bool operator==(const Answer &other) const {
        if (status != other.status || row != other.row) return false;
        return status != AUTOVOICE_OK || tokens == other.tokens;
    }
};

// Either layout in memory: frames side by side, or tokens.
Answer by_reference(const Batch &batch, bool tokens_inner, int32_t threads) {
    std::vector<float> values = batch.values;
    int64_t strides[3] = {batch.text * batch.mel, batch.mel, 1};
    if (tokens_inner) {
        strides[1] = 1;
        strides[2] = batch.text;
        for (int64_t row = 0; row < batch.rows; ++row)
            for (int64_t token = 0; token < batch.text; ++token)
                for (int64_t frame = 0; frame < batch.mel; ++frame)
                    values[row * strides[0] + frame * batch.text + token] =
                        batch.values[row * strides[0] + token * batch.mel + frame];
    }
    Answer answer;
    answer.tokens.resize(batch.rows * batch.mel);
    answer.status = autovoice_maximum_path(values.data(), batch.rows, batch.text, batch.mel, strides,
                                           batch.texts.data(), batch.mels.data(),
                                           answer.tokens.data(), threads, &answer.row);
    return answer;
}

Answer by_kernel(const Batch &batch, unsigned threads, bool shared) {
    Answer answer;
    answer.tokens.resize(batch.rows * batch.mel);
    std::vector<int32_t> faults(batch.rows, -1);
    std::vector<uint8_t> moved(batch.values.size());
    std::vector<float> columns(batch.rows * 2 * (batch.text + 1));
    const DeviceJob job{batch.values.data(),
                        batch.text,
                        batch.mel,
                        {batch.text * batch.mel, batch.mel, 1},
                        batch.texts.data(),
                        batch.mels.data(),
                        answer.tokens.data(),
                        faults.data(),
                        moved.data(),
                        shared ? nullptr : columns.data()};
    launch(autovoice::maximum_path_kernel, static_cast<unsigned>(batch.rows), threads, job);
    for (int64_t row = batch.rows - 1; row >= 0; --row)
        if (faults[row] != AUTOVOICE_OK) answer.status = faults[answer.row = row];
    return answer;
}

// One batch large enough for the reference to take several threads.
bool threads_agree(std::mt19937 &random) {
    Batch large{7, 200, 500, {}, {}, {}};
    std::normal_distribution<float> normal;
    for (int64_t cell = 0; cell < large.rows * large.text * large.mel; ++cell)
        large.values.push_back(normal(random));
    large.texts.assign(large.rows, 200);
    large.mels.assign(large.rows, 500);
    const Answer alone = by_reference(large, false, 1);
    return alone.status == AUTOVOICE_OK && alone == by_reference(large, false, 4) &&
           alone == by_reference(large, true, 4);
}

}  // namespace

int main(int, char **argv) {
    std::mt19937 random(20200522);
    const int cases = std::atoi(argv[1]);
    int faulty = 0;
    for (int index = 0; index < cases; ++index) {
        const Batch batch = random_batch(random);
        const Answer answer = by_reference(batch, false, 2);
        faulty += answer.status != AUTOVOICE_OK;
        if (!(answer == by_reference(batch, true, 1)) || !(answer == by_kernel(batch, 3, true)) ||
            !(answer == by_kernel(batch, 1 + random() % 7, false))) {
            std::printf("case %d: the answers differ\n", index);
            return 1;
        }
    }
    if (!threads_agree(random)) {
        std::puts("threads change the answer");
        return 1;
    }
    std::printf("%d cases agree, %d of them faulty\n", cases, faulty);
    return 0;
}
