/*
 * machine.h - the processors and the memory that this process may use, after all limits.
 *
 * Limits come from control groups (version 1, 2 or both; the innermost group and all visible ones
 * above it), CPU affinity and setrlimit. A file that is missing or cannot be parsed sets no limit.
 * `root` is put before every path that is read: "" for this machine, for tests a folder with a
 * simulated proc and sys/fs/cgroup. Thread-safe.
 *
 * Tests: tests/test_machine.c.
 */
#ifndef LNCLIP_TENSOR_BASE_MACHINE_H
#define LNCLIP_TENSOR_BASE_MACHINE_H

#include <stddef.h>

/* A limit in bytes and its source: "memory.max of /sys/fs/cgroup/job", "RLIMIT_AS", ... */
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

/* Bytes that could be allocated now without swapping (MemAvailable); SIZE_MAX if unknown. */
size_t machine_available(const char *root);

/*
 * The number of processors that the scheduler allows (affinity, cpusets), limited by the CPU quotas
 * of the control groups (cpu.max; cpu.cfs_quota_us), rounded up. At least 1.
 */
int machine_processors(const char *root);

#endif
