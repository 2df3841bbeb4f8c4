// The kernel apart from its launch, so that the tests can run it on a CPU, too.
#pragma once

#include "path_rules.h"

namespace autovoice {

struct DeviceJob {
    const float *values;
    int64_t text, mel, strides[3];
    const int32_t *text_lengths, *mel_lengths;
    int32_t *tokens, *faults;
    uint8_t *moved;  // [batch, mel, text]
    float *columns;  // [batch, 2, text + 1], or null: in shared memory
};

// One row a block, one token a thread and round, one barrier a frame.
__global__ void maximum_path_kernel(DeviceJob job) {
    extern __shared__ float shared_columns[];
    const int64_t row = blockIdx.x;
    const int64_t tokens = job.text_lengths[row], frames = job.mel_lengths[row];
    if (!lengths_fit(tokens, frames, job.text, job.mel)) {  // the same for all of the block
        if (threadIdx.x == 0) job.faults[row] = AUTOVOICE_BAD_LENGTHS;
        return;
    }
    const float *values = job.values + row * job.strides[0];
    uint8_t *moved = job.moved + row * job.mel * job.text;
    float *before = job.columns ? job.columns + row * 2 * (job.text + 1) : shared_columns;
    float *sums = before + tokens + 1;
    for (int64_t index = threadIdx.x; index < 2 * (tokens + 1); index += blockDim.x)
        before[index] = index == 0 ? 0 : kImpossible;
    int unusable = 0;
    __syncthreads();

    for (int64_t frame = 0; frame < frames; ++frame) {
        const Band reach = band(frame, tokens, frames);
        for (int64_t token = reach.first + threadIdx.x; token < reach.end; token += blockDim.x) {
            const float value = values[token * job.strides[1] + frame * job.strides[2]];
            const float other = before[token], same = before[token + 1];
            const bool move = moves(other, same);
            sums[token + 1] = (move ? other : same) + value;
            moved[frame * tokens + token] = move;
            unusable |= !usable(value);
        }
        if (threadIdx.x == 0) sums[0] = kImpossible;
        __syncthreads();
        float *swapped = before;
        before = sums;
        sums = swapped;
    }

    unusable = __syncthreads_or(unusable);
    if (threadIdx.x != 0) return;
    job.faults[row] = unusable ? AUTOVOICE_BAD_VALUE : AUTOVOICE_OK;
    if (!unusable) trace_back(moved, tokens, frames, job.mel, job.tokens + row * job.mel);
}

}  // namespace autovoice
