// What the CPU's and the GPU's search must do alike, to the last bit.
#pragma once

#include <cstdint>

#include "autovoice.h"

#ifdef __CUDACC__
#define AUTOVOICE_BOTH __host__ __device__
#else
#define AUTOVOICE_BOTH
#endif

namespace autovoice {

constexpr float kImpossible = -__builtin_huge_valf();

// Whether the best way to a token comes from the token before. On a tie it stays.
AUTOVOICE_BOTH inline bool moves(float before, float same) { return before > same; }

// NaN and +infinity would make sums that cannot be compared.
AUTOVOICE_BOTH inline bool usable(float value) { return value < __builtin_huge_valf(); }

// The tokens that a path can be at in a frame: early enough for the rest to fit in, and
// no later than one token a frame allows. Others are neither read nor computed.
struct Band {
    int64_t first, end;
};

AUTOVOICE_BOTH inline Band band(int64_t frame, int64_t tokens, int64_t frames) {
    const int64_t first = tokens + frame - frames;
    return {first > 0 ? first : 0, frame < tokens ? frame + 1 : tokens};
}

AUTOVOICE_BOTH inline bool lengths_fit(int64_t tokens, int64_t frames, int64_t text, int64_t mel) {
    return tokens >= 1 && tokens <= frames && tokens <= text && frames <= mel;
}

// `moved` [frames, tokens] tells for each cell whether its best way came from the token before.
AUTOVOICE_BOTH inline void trace_back(const uint8_t *moved, int64_t tokens, int64_t frames,
                                      int64_t mel, int32_t *path) {
    for (int64_t frame = frames; frame < mel; ++frame) path[frame] = -1;
    int64_t token = tokens - 1;
    for (int64_t frame = frames - 1; frame >= 0; --frame) {
        path[frame] = static_cast<int32_t>(token);
        // As many frames as tokens are left: whatever the sums say, it must move.
        if (token > 0 && (token == frame || moved[frame * tokens + token])) --token;
    }
}

// Keeps every index and byte count below within int64_t.
inline bool shape_fits(int64_t batch, int64_t text, int64_t mel) {
    constexpr int64_t kMost = int64_t{1} << 31, kMostCells = int64_t{1} << 56;
    if (batch < 0 || text < 0 || mel < 0 || batch >= kMost || text >= kMost || mel >= kMost)
        return false;
    return text == 0 || mel == 0 || batch <= kMostCells / text / mel;
}

}  // namespace autovoice
