/*
 * machine.h - what this process may use of the machine: processors and memory, after all limits.
 *
 * Limits are those of the control groups (version 1, version 2 and both; the innermost group and
 * all above it, as far as they are visible), of cpu affinity and of setrlimit. A file that is
 * absent or that cannot be understood sets no limit. `root` is put before every path that is read:
 * "" for this machine, a folder with a made-up proc and sys/fs/cgroup for tests. May be called from
 * any thread.
 */
#ifndef LNCLIP_TENSOR_BASE_MACHINE_H
#define LNCLIP_TENSOR_BASE_MACHINE_H

#include <stddef.h>

/* A number of bytes, and which limit it is: "memory.max of /sys/fs/cgroup/job", "RLIMIT_AS", ... */
typedef struct MachineMemory {
    size_t bytes;
    char source[512];
} MachineMemory;

/*
 * The least of: the memory of the machine, memory.max and memory.high (memory.limit_in_bytes) of
 * the control groups, RLIMIT_DATA, and RLIMIT_AS less the address space that this process has
 * mapped without using it.
 */
MachineMemory machine_memory(const char *root);

/* Bytes that could be allocated now without swapping (MemAvailable); SIZE_MAX if /proc does not
 * tell. */
size_t machine_available(const char *root);

/*
 * Processors: those that the scheduler allows (affinity, cpusets), and no more than the cpu quotas
 * of the control groups (cpu.max; cpu.cfs_quota_us) pay for, rounded up. At least 1.
 */
int machine_processors(const char *root);

#endif
