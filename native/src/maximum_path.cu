// The search on a CUDA device: memory, launch and errors around path_kernel.h.
#include <cuda_runtime.h>

#include <algorithm>
#include <new>
#include <vector>

#include "path_kernel.h"

namespace autovoice {
namespace {

constexpr int64_t kSharedBytes = 48 << 10;  // what every device has without being asked
constexpr int64_t kMostThreads = 512;

int64_t column_bytes(int64_t text) { return 2 * (text + 1) * int64_t{sizeof(float)}; }

int64_t columns_in_workspace(int64_t batch, int64_t text) {
    return column_bytes(text) <= kSharedBytes ? 0 : batch * column_bytes(text);
}

// Device memory that is given back whatever happens.
template <typename T>
class Buffer {
  public:
    explicit Buffer(int64_t count) {
        if (cudaMalloc(&data_, std::max<int64_t>(count, 1) * sizeof(T)) != cudaSuccess) {
            data_ = nullptr;
            cudaGetLastError();  // else the next call would report it again
        }
    }
    ~Buffer() { cudaFree(data_); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    T *get() const { return data_; }

  private:
    T *data_ = nullptr;
};

int32_t failed() {
    cudaGetLastError();
    return AUTOVOICE_CUDA_FAILED;
}

}  // namespace
}  // namespace autovoice

extern "C" int32_t autovoice_cuda_devices(void) {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) == cudaSuccess) return devices;
    cudaGetLastError();
    return 0;
}

extern "C" int64_t autovoice_maximum_path_workspace(int64_t batch, int64_t text, int64_t mel) {
    using namespace autovoice;
    if (!shape_fits(batch, text, mel)) return -1;
    return columns_in_workspace(batch, text) + batch * text * mel;
}

extern "C" int32_t autovoice_maximum_path_device(const float *values, int64_t batch, int64_t text,
                                                 int64_t mel, const int64_t strides[3],
                                                 const int32_t *text_lengths,
                                                 const int32_t *mel_lengths, int32_t *tokens,
                                                 int32_t *faults, void *workspace, void *stream) {
    using namespace autovoice;
    if (!shape_fits(batch, text, mel)) return AUTOVOICE_BAD_SHAPE;
    if (batch == 0) return AUTOVOICE_OK;
    if (!values || !strides || !text_lengths || !mel_lengths || !tokens || !faults || !workspace)
        return AUTOVOICE_BAD_SHAPE;
    const int64_t columns = columns_in_workspace(batch, text);
    const DeviceJob job{values,
                        text,
                        mel,
                        {strides[0], strides[1], strides[2]},
                        text_lengths,
                        mel_lengths,
                        tokens,
                        faults,
                        static_cast<uint8_t *>(workspace) + columns,
                        columns ? static_cast<float *>(workspace) : nullptr};
    const int64_t warps = (std::min(text, kMostThreads) + 31) / 32;
    const unsigned threads = static_cast<unsigned>(32 * std::max<int64_t>(warps, 1));
    maximum_path_kernel<<<static_cast<unsigned>(batch), threads,
                          columns ? 0 : column_bytes(text), static_cast<cudaStream_t>(stream)>>>(
        job);
    return cudaGetLastError() == cudaSuccess ? AUTOVOICE_OK : AUTOVOICE_CUDA_FAILED;
}

extern "C" int32_t autovoice_maximum_path_cuda(const float *values, int64_t batch, int64_t text,
                                               int64_t mel, const int32_t *text_lengths,
                                               const int32_t *mel_lengths, int32_t *tokens,
                                               int64_t *fault_row) {
    using namespace autovoice;
    if (!shape_fits(batch, text, mel)) return AUTOVOICE_BAD_SHAPE;
    if (autovoice_cuda_devices() < 1) return AUTOVOICE_NO_CUDA;
    if (batch == 0) return AUTOVOICE_OK;
    if (!values || !text_lengths || !mel_lengths || !tokens || !fault_row)
        return AUTOVOICE_BAD_SHAPE;
    const int64_t cells = batch * text * mel, frames = batch * mel;
    const Buffer<float> values_there(cells);
    const Buffer<int32_t> texts_there(batch), mels_there(batch), tokens_there(frames),
        faults_there(batch);
    const Buffer<uint8_t> workspace(autovoice_maximum_path_workspace(batch, text, mel));
    if (!values_there.get() || !texts_there.get() || !mels_there.get() || !tokens_there.get() ||
        !faults_there.get() || !workspace.get())
        return AUTOVOICE_NO_MEMORY;

    const auto copy = [](void *to, const void *from, int64_t bytes) {
        return cudaMemcpy(to, from, bytes, cudaMemcpyDefault) == cudaSuccess;
    };
    const int64_t lengths_bytes = batch * int64_t{sizeof(int32_t)};
    if (!copy(values_there.get(), values, cells * int64_t{sizeof(float)}) ||
        !copy(texts_there.get(), text_lengths, lengths_bytes) ||
        !copy(mels_there.get(), mel_lengths, lengths_bytes))
        return failed();
    const int64_t strides[3] = {text * mel, mel, 1};
    if (autovoice_maximum_path_device(values_there.get(), batch, text, mel, strides,
                                      texts_there.get(), mels_there.get(), tokens_there.get(),
                                      faults_there.get(), workspace.get(), nullptr))
        return failed();
    std::vector<int32_t> faults;
    try {
        faults.resize(batch);
    } catch (const std::bad_alloc &) {
        return AUTOVOICE_NO_MEMORY;
    }
    if (!copy(faults.data(), faults_there.get(), lengths_bytes) ||
        !copy(tokens, tokens_there.get(), frames * int64_t{sizeof(int32_t)}))
        return failed();
    for (int64_t row = 0; row < batch; ++row) {
        if (faults[row] == AUTOVOICE_OK) continue;
        *fault_row = row;
        return faults[row];
    }
    return AUTOVOICE_OK;
}
