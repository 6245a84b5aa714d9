#pragma once
/// Marks functions that the device runs and the CPU tests run too: one text for both.

#ifdef __CUDACC__
#define BTC_HD __host__ __device__
#else
#define BTC_HD
#endif
