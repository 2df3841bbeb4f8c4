"""Native code: what training computes in C++ and CUDA (`native/`), and in numpy without them."""
