/*
 * machine.c - see machine.h.
 *
 * /proc/self/mountinfo gives the mount points of control groups, /proc/self/cgroup the groups of
 * this process (cgroups(7)). In a container the mount may show only a part of the tree: then the
 * groups above it cannot be read, and only the limits in that part are known.
 */
#include "tensor/base/machine.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_SIZE = 8192 }; /* bytes of a line of mountinfo, which holds two paths */

static FILE *open_below(const char *root, const char *path)
{
    char name[2 * PATH_MAX];
    const int length = snprintf(name, sizeof name, "%s%s", root, path);
    return length > 0 && length < (int)sizeof name ? fopen(name, "re") : NULL;
}

/* The first line of a file, "" if there is none. */
static void read_line(const char *root, const char *folder, const char *file, char line[64])
{
    char path[PATH_MAX + 64];
    line[0] = '\0';
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *stream = open_below(root, path);
    if (!stream)
        return;
    if (!fgets(line, 64, stream))
        line[0] = '\0';
    fclose(stream);
}

/*
 * The unsigned number that `text` begins with and what follows it; false for "max", "-1" and
 * anything else.
 */
static bool parse_number(const char *text, unsigned long long *value, const char **rest)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *value = strtoull(text, &end, 10);
    *rest = end;
    return strchr(" \n", *end) != NULL;
}

/* True if `word` is an item of the comma-separated `list`. */
static bool lists(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* --- Control groups --- */

/* The group of this process that has `controller`, or the one of version 2; "" if there is none. */
static void find_group(const char *root, const char *controller, char group[PATH_MAX])
{
    char line[LINE_SIZE];
    group[0] = '\0';
    FILE *stream = open_below(root, "/proc/self/cgroup");
    while (stream && fgets(line, sizeof line, stream)) { /* number:controllers:path */
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (controller ? lists(names + 1, controller) : names[1] == '\0')
            snprintf(group, PATH_MAX, "%.*s", PATH_MAX - 1, path);
    }
    if (stream)
        fclose(stream);
}

/* mountinfo writes spaces, tabs, newlines and backslashes of a path as \ooo. */
static void decode_octal(char *text)
{
    char *out = text;
    for (const char *in = text; *in; out++) {
        if (in[0] == '\\' && strspn(in + 1, "01234567") >= 3) {
            *out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
            in += 4;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

/* One line of mountinfo: "id parent device root point options ... - type source options". */
static bool parse_mount(char *line, const char *controller, char **shown, char **point)
{
    line[strcspn(line, "\n")] = '\0';
    char *tail = strstr(line, " - "), *field[5], *rest = line, *types[3];
    if (!tail)
        return false;
    *tail = '\0';
    tail += 3;
    for (int i = 0; i < 5; i++)
        if (!(field[i] = strsep(&rest, " ")))
            return false;
    for (int i = 0; i < 3; i++)
        if (!(types[i] = strsep(&tail, " ")))
            return false;
    if (controller ? strcmp(types[0], "cgroup") != 0 || !lists(types[2], controller)
                   : strcmp(types[0], "cgroup2") != 0)
        return false;
    decode_octal(field[3]);
    decode_octal(field[4]);
    *shown = field[3];
    *point = field[4];
    return true;
}

/* The folder of `group` below the mount point `point`, whose root is the group `shown`. */
static void join_group(const char *shown, const char *point, const char *group, char out[PATH_MAX])
{
    const size_t length = strcmp(shown, "/") == 0 ? 0 : strlen(shown);
    const bool below = strncmp(group, shown, length) == 0 &&
                       (group[length] == '/' || group[length] == '\0') && !strstr(group, "/..");
    const char *rest = below ? group + length : "";
    snprintf(out, PATH_MAX, "%.2000s%.2000s", point, strcmp(rest, "/") == 0 ? "" : rest);
}

typedef void (*Visit)(const char *root, const char *folder, void *context);

/*
 * Calls `visit` for the group of this process and all above it; `controller` NULL means version 2.
 */
static void visit_groups(const char *root, const char *controller, Visit visit, void *context)
{
    char group[PATH_MAX], folder[PATH_MAX], line[LINE_SIZE];
    find_group(root, controller, group);
    FILE *stream = group[0] ? open_below(root, "/proc/self/mountinfo") : NULL;
    while (stream && fgets(line, sizeof line, stream)) {
        char *shown, *point;
        if (!parse_mount(line, controller, &shown, &point))
            continue;
        join_group(shown, point, group, folder);
        const size_t top = strlen(point);
        for (;;) {
            visit(root, folder, context);
            char *slash = strrchr(folder, '/');
            if (strlen(folder) <= top || !slash || (size_t)(slash - folder) < top)
                break;
            *slash = '\0';
        }
    }
    if (stream)
        fclose(stream);
}

/* --- Memory --- */

static void lower(MachineMemory *memory, unsigned long long bytes, const char *what,
                  const char *where)
{
    if (bytes == 0 || bytes >= memory->bytes)
        return;
    memory->bytes = (size_t)bytes;
    snprintf(memory->source, sizeof memory->source, "%s%s%.400s", what, where[0] ? " of " : "",
             where);
}

static void lower_by_group(const char *root, const char *folder, void *context)
{
    static const char *const files[] = {"memory.max", "memory.high", "memory.limit_in_bytes"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char line[64];
        const char *rest;
        unsigned long long bytes;
        read_line(root, folder, files[i], line);
        if (parse_number(line, &bytes, &rest) && *rest != ' ')
            lower(context, bytes, files[i], folder);
    }
}

/* The number after `key` in /proc/meminfo, in bytes; `otherwise` if missing. */
static size_t meminfo(const char *root, const char *key, size_t otherwise)
{
    char line[256];
    FILE *stream = open_below(root, "/proc/meminfo");
    size_t bytes = otherwise;
    while (stream && fgets(line, sizeof line, stream)) {
        const char *value = line + strlen(key), *rest;
        unsigned long long kib;
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        value += strspn(value, " ");
        if (parse_number(value, &kib, &rest) && kib <= SIZE_MAX / 1024)
            bytes = (size_t)kib * 1024;
    }
    if (stream)
        fclose(stream);
    return bytes;
}

/* Bytes of address space that are mapped but not resident: only RLIMIT_AS counts them. */
static unsigned long long unused_address_space(const char *root)
{
    unsigned long long size = 0, resident = 0;
    FILE *stream = open_below(root, "/proc/self/statm");
    const bool read = stream && fscanf(stream, "%llu %llu", &size, &resident) == 2;
    if (stream)
        fclose(stream);
    return read && size > resident ? (size - resident) * (unsigned long long)sysconf(_SC_PAGESIZE)
                                   : 0;
}

MachineMemory machine_memory(const char *root)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const size_t fallback = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)1 << 30;
    MachineMemory memory = {meminfo(root, "MemTotal:", fallback), "the machine's memory"};
    visit_groups(root, NULL, lower_by_group, &memory);
    visit_groups(root, "memory", lower_by_group, &memory);
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        lower(&memory, limit.rlim_cur, "RLIMIT_DATA", "");
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        const unsigned long long unused = unused_address_space(root);
        lower(&memory, limit.rlim_cur > unused ? limit.rlim_cur - unused : 1, "RLIMIT_AS", "");
    }
    return memory;
}

size_t machine_available(const char *root)
{
    return meminfo(root, "MemAvailable:", SIZE_MAX);
}

/* --- Processors --- */

/*
 * The number of processors that the scheduler allows. The set grows until the kernel accepts its
 * size.
 */
static int allowed_processors(void)
{
    for (int limit = CPU_SETSIZE; limit <= 1 << 20; limit *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)limit);
        if (!set)
            break;
        const size_t size = CPU_ALLOC_SIZE((size_t)limit);
        const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static void lower_by_quota(const char *root, const char *folder, void *context)
{
    int *processors = context;
    char line[64], second[64];
    const char *rest = "";
    unsigned long long quota = 0, period = 0;
    read_line(root, folder, "cpu.max", line); /* "quota period" or "max period" */
    if (line[0] == '\0') {
        read_line(root, folder, "cpu.cfs_quota_us", line);
        read_line(root, folder, "cpu.cfs_period_us", second);
        if (!parse_number(line, &quota, &rest) || !parse_number(second, &period, &rest))
            return;
    } else if (!parse_number(line, &quota, &rest) || *rest != ' ' ||
               !parse_number(rest + 1, &period, &rest)) {
        return;
    }
    if (quota == 0 || period == 0 || quota / period >= (unsigned)*processors)
        return;
    *processors = (int)(quota / period + (quota % period != 0));
}

int machine_processors(const char *root)
{
    int processors = allowed_processors();
    visit_groups(root, NULL, lower_by_quota, &processors);
    visit_groups(root, "cpu", lower_by_quota, &processors);
    return processors;
}
