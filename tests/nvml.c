/* A stand-in for the driver's library libnvidia-ml.so.1: two GPUs with fixed answers, laid out as nvml.h says.

   GPU 0 is 37 % busy, has 143771 MiB, and holds 536 MiB for the process $NVML_PID and an unknown amount for 4713;
   GPU 1 tells neither how busy it is nor what draws on it. Return codes: 0 success, 2 invalid argument,
   3 not supported, 7 insufficient size. -DOLD leaves out what drivers before 510 do not have. */
#include <stdlib.h>

typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
static int gpus[2] = {0, 1};

int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, int **gpu) {
    if (index > 1) return 2;
    *gpu = &gpus[index];
    return 0;
}

int nvmlDeviceGetUtilizationRates(int *gpu, utilization *found) {
    if (*gpu) return 3;
    *found = (utilization){37, 5};
    return 0;
}

int nvmlDeviceGetMemoryInfo(int *gpu, memory *found) {
    unsigned long long mib = 1ull << 20;
    *found = (memory){143771 * mib, 142771 * mib, 1000 * mib};
    return 0;
}

#ifndef OLD
int nvmlDeviceGetComputeRunningProcesses_v3(int *gpu, unsigned *count, process *found) {
    unsigned room = *count;
    const char *own = getenv("NVML_PID");
    if (*gpu) { *count = 0; return 0; }
    *count = 2;
    if (room < 2) return 7;
    found[0] = (process){own ? atoi(own) : 4711, 536ull << 20, ~0u, ~0u};
    found[1] = (process){4713, ~0ull, ~0u, ~0u};
    return 0;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(int *gpu, unsigned *count, process *found) {
    *count = 0;
    return *gpu ? 3 : 0;
}
#endif
