/* libautovoice: what AutoVoice computes in compiled code, behind a plain C ABI.
 *
 * No function throws, prints or keeps state; all may be called from any thread.
 * Sizes are counts of elements, strides are in elements, arrays are the caller's.
 */
#ifndef AUTOVOICE_H
#define AUTOVOICE_H

#include <stdint.h>

#if defined(_WIN32)
#define AUTOVOICE_API __declspec(dllexport)
#else
#define AUTOVOICE_API __attribute__((visibility("default")))
#endif

/* Goes up whenever a function below changes its arguments or its meaning. */
#define AUTOVOICE_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

enum autovoice_status {
    AUTOVOICE_OK = 0,
    AUTOVOICE_BAD_SHAPE = 1,   /* a negative or too large size, or a null pointer */
    AUTOVOICE_BAD_LENGTHS = 2, /* not 1 <= text length <= mel length, both within the array */
    AUTOVOICE_BAD_VALUE = 3,   /* a NaN or +infinity where a path may lead */
    AUTOVOICE_NO_MEMORY = 4,
    AUTOVOICE_NO_CUDA = 5, /* built without CUDA, or neither driver nor device here */
    AUTOVOICE_CUDA_FAILED = 6
};

AUTOVOICE_API int32_t autovoice_abi(void);

/* CUDA devices that can be used; -1 if the library was built without CUDA. */
AUTOVOICE_API int32_t autovoice_cuda_devices(void);

/* Monotonic alignment search: which text token each mel frame belongs to.
 *
 * Of all ways to go through a row's tokens in order, from the first at the first
 * frame to the last at the last, each token at least one frame long, the way with
 * the largest sum of values. Of equal ones that whose last token begins earliest,
 * then the last but one, and so on. Sums are float32, added frame after frame.
 * Kim et al. 2020, "Glow-TTS", algorithm 1 (https://arxiv.org/abs/2005.11129).
 *
 *   values        [batch, text, mel] log-likelihoods, with `strides` between the
 *                 elements of each dimension; -infinity: never, if avoidable.
 *                 Nothing outside a row's lengths is looked at.
 *   text_lengths  [batch] tokens of each row
 *   mel_lengths   [batch] frames of each row, at least as many
 *   tokens        [batch, mel], written: the token of each frame; -1 past the row's end
 *   threads       at most so many; small batches use fewer
 *   fault_row     written with AUTOVOICE_BAD_LENGTHS and AUTOVOICE_BAD_VALUE: the first
 *                 such row. `tokens` mean nothing then.
 */
AUTOVOICE_API int32_t autovoice_maximum_path(const float *values, int64_t batch, int64_t text,
                                             int64_t mel, const int64_t strides[3],
                                             const int32_t *text_lengths,
                                             const int32_t *mel_lengths, int32_t *tokens,
                                             int32_t threads, int64_t *fault_row);

/* The same on the current CUDA device, with dense arrays on the host: copies there and back. */
AUTOVOICE_API int32_t autovoice_maximum_path_cuda(const float *values, int64_t batch, int64_t text,
                                                  int64_t mel, const int32_t *text_lengths,
                                                  const int32_t *mel_lengths, int32_t *tokens,
                                                  int64_t *fault_row);

/* Bytes of device memory that the next function works in; -1 for a bad shape. */
AUTOVOICE_API int64_t autovoice_maximum_path_workspace(int64_t batch, int64_t text, int64_t mel);

/* The same for what is on the device already, and without waiting for it: each pointer
 * but `strides` is to device memory, `stream` is a cudaStream_t, `workspace` is aligned
 * to 4 bytes. `faults` [batch] is written with each row's status. */
AUTOVOICE_API int32_t autovoice_maximum_path_device(const float *values, int64_t batch,
                                                    int64_t text, int64_t mel,
                                                    const int64_t strides[3],
                                                    const int32_t *text_lengths,
                                                    const int32_t *mel_lengths, int32_t *tokens,
                                                    int32_t *faults, void *workspace,
                                                    void *stream);

#ifdef __cplusplus
}
#endif
#endif
