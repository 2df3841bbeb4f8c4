// The functions for CUDA in a library that was built where there is no nvcc.
#include "autovoice.h"

extern "C" int32_t autovoice_cuda_devices(void) { return -1; }

extern "C" int32_t autovoice_maximum_path_cuda(const float *, int64_t, int64_t, int64_t,
                                               const int32_t *, const int32_t *, int32_t *,
                                               int64_t *) {
    return AUTOVOICE_NO_CUDA;
}

extern "C" int64_t autovoice_maximum_path_workspace(int64_t, int64_t, int64_t) { return -1; }

extern "C" int32_t autovoice_maximum_path_device(const float *, int64_t, int64_t, int64_t,
                                                 const int64_t[3], const int32_t *,
                                                 const int32_t *, int32_t *, int32_t *, void *,
                                                 void *) {
    return AUTOVOICE_NO_CUDA;
}
