/* The limits of control groups, on made-up trees; and those of setrlimit, on this process. */
#include "tests/support.h"

#include "tensor/base/file.h"
#include "tensor/base/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char root[FILE_PATH_SIZE];

static void put(const char *path, const char *text)
{
    char name[FILE_PATH_SIZE], folder[FILE_PATH_SIZE];
    Error error = {0};
    ck_ok(file_join(name, root, path, &error), &error);
    snprintf(folder, sizeof folder, "%s", name);
    *strrchr(folder, '/') = '\0';
    ck_ok(file_make_folders(folder, &error), &error);
    ck_ok(file_write(name, text, strlen(text), &error), &error);
}

/* A machine of 64 GiB. */
static void begin(const char *mounts, const char *groups)
{
    snprintf(root, sizeof root, "/tmp/test_machine-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    put("proc/meminfo",
        "MemTotal:       67108864 kB\nMemFree: 1 kB\nMemAvailable:   33554432 kB\n");
    if (mounts)
        put("proc/self/mountinfo", mounts);
    if (groups)
        put("proc/self/cgroup", groups);
}

static void finish(void)
{
    char command[FILE_PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0);
}

static const char V2[] =
    "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char V1[] =
    "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
static const size_t GIB = (size_t)1 << 30;

static void expect_memory(size_t gib, const char *source)
{
    const MachineMemory memory = machine_memory(root);
    ck_assert_uint_eq(memory.bytes, gib * GIB);
    ck_assert_str_eq(memory.source, source);
}

START_TEST(without_groups_it_is_the_machine)
{
    begin(NULL, NULL);
    expect_memory(64, "the machine's memory");
    ck_assert_uint_eq(machine_available(root), 32 * GIB);
    ck_assert_int_ge(machine_processors(root), 1);
    finish();
}
END_TEST

START_TEST(version_2_counts_every_level)
{
    begin(V2, "0::/slurm/job/step\n");
    put("sys/fs/cgroup/slurm/job/step/memory.max", "max\n");
    expect_memory(64, "the machine's memory");
    put("sys/fs/cgroup/slurm/job/memory.max", "8589934592\n");
    expect_memory(8, "memory.max of /sys/fs/cgroup/slurm/job");
    put("sys/fs/cgroup/slurm/memory.high", "4294967296\n");
    expect_memory(4, "memory.high of /sys/fs/cgroup/slurm");
    put("sys/fs/cgroup/slurm/job/step/memory.max", "2147483648\n");
    expect_memory(2, "memory.max of /sys/fs/cgroup/slurm/job/step");
    put("sys/fs/cgroup/slurm/job/cpu.max", "100000 100000\n");
    ck_assert_int_eq(machine_processors(root), 1);
    finish();
}
END_TEST

START_TEST(version_1_and_both_count)
{
    begin(V1, "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    expect_memory(64, "the machine's memory");
    put("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
    expect_memory(1, "memory.limit_in_bytes of /sys/fs/cgroup/memory/docker/abc");
    put("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
    ck_assert_int_ge(machine_processors(root), 1);
    put("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "50000\n");
    ck_assert_int_eq(machine_processors(root), 1);
    finish();
    char both[1024];
    snprintf(both, sizeof both, "%s33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
             V1);
    begin(both, "4:memory:/a\n0::/a\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3221225472\n");
    put("sys/fs/cgroup/unified/a/memory.max", "2147483648\n");
    expect_memory(2, "memory.max of /sys/fs/cgroup/unified/a");
    finish();
}
END_TEST

START_TEST(a_container_sees_a_part_of_the_tree)
{
    begin("30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
          "0::/docker/abc/inner\n");
    put("sys/fs/cgroup/memory.max", "5368709120\n");
    expect_memory(5, "memory.max of /sys/fs/cgroup");
    put("sys/fs/cgroup/inner/memory.max", "1073741824\n");
    expect_memory(1, "memory.max of /sys/fs/cgroup/inner");
    finish();
    begin("30 24 0:26 / /my\\040groups rw - cgroup2 cgroup rw\n", "0::/../../elsewhere\n");
    put("my groups/memory.max", "1073741824\n");
    expect_memory(1, "memory.max of /my groups");
    finish();
}
END_TEST

START_TEST(what_is_not_understood_sets_no_limit)
{
    begin(V2, "0::/a\n");
    put("sys/fs/cgroup/a/memory.max", "-5\n");
    put("sys/fs/cgroup/a/memory.high", "12 apples\n1GiB");
    put("sys/fs/cgroup/memory.max", "5GiB\n");
    put("sys/fs/cgroup/a/cpu.max", "100000 0\n");
    put("sys/fs/cgroup/cpu.max", "\n");
    put("proc/meminfo", "MemTotal: many\nMemAvailable: -1 kB\n");
    const int processors = machine_processors(root);
    ck_assert_uint_eq(machine_available(root), SIZE_MAX);
    ck_assert_str_eq(machine_memory(root).source, "the machine's memory");
    put("proc/self/cgroup", "garbage\n::\n0:\n");
    put("proc/self/mountinfo", "1 2 3\n - cgroup2\n1 2 3 4 5 - cgroup2\n");
    ck_assert_str_eq(machine_memory(root).source, "the machine's memory");
    ck_assert_int_eq(machine_processors(root), processors);
    finish();
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* whose shadow memory exceeds any such limit */
START_TEST(setrlimit_counts)
{
    begin(NULL, NULL);
    const struct rlimit data = {16 * GIB, RLIM_INFINITY}, space = {8 * GIB, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &data), 0);
    expect_memory(16, "RLIMIT_DATA");
    char pages[64];
    snprintf(pages, sizeof pages, "%ld 0 0\n", (long)((size_t)GIB / (size_t)sysconf(_SC_PAGESIZE)));
    put("proc/self/statm", pages); /* 1 GiB is mapped and not used */
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &space), 0);
    expect_memory(7, "RLIMIT_AS");
    finish();
}
END_TEST
#endif

int main(void)
{
    Suite *const suite = suite_create("machine");
    TCase *const all = support_case(suite, "machine", 60);
    tcase_add_test(all, without_groups_it_is_the_machine);
    tcase_add_test(all, version_2_counts_every_level);
    tcase_add_test(all, version_1_and_both_count);
    tcase_add_test(all, a_container_sees_a_part_of_the_tree);
    tcase_add_test(all, what_is_not_understood_sets_no_limit);
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test(all, setrlimit_counts);
#endif
    return support_main(suite);
}
