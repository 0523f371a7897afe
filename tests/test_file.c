/*
 * test_file.c - whole-file input, atomic output: what a reader sees when a write fails half-way.
 */
#include "tensor/base/file.h"
#include "tests/support_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_content(const char *path, const char *wanted)
{
    Error error = {0};
    char *content;
    size_t size;
    ck_ok(file_read(path, 1 << 20, &content, &size, &error), &error);
    ck_assert_uint_eq(size, strlen(wanted));
    ck_assert_str_eq(content, wanted);
    free(content);
}

/* Names in the folder, "." and ".." not counted. */
static int names_in_folder(void)
{
    DIR *const list = opendir(support_in_folder(""));
    ck_assert_ptr_nonnull(list);
    int count = 0;
    while (readdir(list))
        count++;
    closedir(list);
    return count - 2;
}

START_TEST(write_then_read)
{
    Error error = {0};
    const char *const path = support_in_folder("a.txt");
    ck_ok(file_write(path, "hello\n", 6, &error), &error);
    expect_content(path, "hello\n");
    ck_ok(file_write(path, "", 0, &error), &error);
    expect_content(path, "");
    ck_assert_int_eq(names_in_folder(), 1);
}
END_TEST

START_TEST(new_file_applies_umask)
{
    Error error = {0};
    const mode_t before = umask(027);
    ck_ok(file_write(support_in_folder("a"), "x", 1, &error), &error);
    umask(before);
    struct stat facts;
    ck_assert_int_eq(stat(support_in_folder("a"), &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 0777, 0640);
}
END_TEST

START_TEST(read_refuses)
{
    Error error = {0};
    char *content;
    size_t size;
    ck_assert_int_eq(file_read(support_in_folder("none"), 10, &content, &size, &error),
                     STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "none: cannot be read: No such file"));
    ck_assert_ptr_null(content);
    ck_assert_int_eq(file_read(support_in_folder(""), 10, &content, &size, &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "is a folder"));
    ck_assert_int_eq(mkfifo(support_in_folder("pipe"), 0600), 0);
    ck_assert_int_eq(file_read(support_in_folder("pipe"), 10, &content, &size, &error),
                     STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "not a regular file"));
    ck_ok(file_write(support_in_folder("big"), "0123456789", 10, &error), &error);
    ck_assert_int_eq(file_read(support_in_folder("big"), 9, &content, &size, &error),
                     STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "has 10 bytes, more than the 9 allowed"));
    ck_ok(file_read(support_in_folder("big"), 10, &content, &size, &error), &error);
    ck_assert_uint_eq(size, 10);
    ck_assert_int_eq(content[10], 0);
    free(content);
}
END_TEST

START_TEST(map)
{
    Error error = {0};
    FileMap mapped;
    ck_ok(file_write(support_in_folder("a"), "abc", 3, &error), &error);
    ck_ok(file_map(support_in_folder("a"), &mapped, &error), &error);
    ck_assert_uint_eq(mapped.size, 3);
    ck_assert_mem_eq(mapped.data, "abc", 3);
    /* Replacing the file leaves the mapping as it was. */
    ck_ok(file_write(support_in_folder("a"), "x", 1, &error), &error);
    ck_assert_mem_eq(mapped.data, "abc", 3);
    file_unmap(&mapped);
    ck_assert_ptr_null(mapped.data);
    file_unmap(&mapped);

    ck_ok(file_write(support_in_folder("a"), "", 0, &error), &error);
    ck_ok(file_map(support_in_folder("a"), &mapped, &error), &error);
    ck_assert_ptr_null(mapped.data);
    ck_assert_uint_eq(mapped.size, 0);
    ck_assert_int_eq(file_map(support_in_folder("none"), &mapped, &error), STATUS_FAILED);
}
END_TEST

START_TEST(abort_leaves_the_old_file)
{
    Error error = {0};
    FileWriter writer;
    ck_ok(file_write(support_in_folder("a"), "old", 3, &error), &error);
    ck_ok(file_begin(&writer, support_in_folder("a"), &error), &error);
    fputs("new", writer.stream);
    expect_content(support_in_folder("a"), "old");
    file_abort(&writer);
    file_abort(&writer);
    expect_content(support_in_folder("a"), "old");
    ck_assert_int_eq(names_in_folder(), 1);
}
END_TEST

/* A limit on the file size makes write fail as a full disk does, at a byte of our choice. */
START_TEST(full_disk_leaves_the_old_file)
{
    Error error = {0};
    static char content[100000];
    memset(content, 'x', sizeof content);
    ck_ok(file_write(support_in_folder("a"), "old", 3, &error), &error);
    signal(SIGXFSZ, SIG_IGN);
    const size_t limits[] = {0, 1, 4096, 50000, 99999};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct rlimit limit = {.rlim_cur = limits[i], .rlim_max = RLIM_INFINITY};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        error_clear(&error);
        const Status status = file_write(support_in_folder("a"), content, sizeof content, &error);
        const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert_int_eq(status, STATUS_FAILED);
        ck_assert_ptr_nonnull(
            strstr(error.message, "/a: cannot be written: File too large; free some"));
        expect_content(support_in_folder("a"), "old");
        ck_assert_int_eq(names_in_folder(), 1);
    }
    ck_ok(file_write(support_in_folder("a"), content, 5, &error), &error);
    expect_content(support_in_folder("a"), "xxxxx");
}
END_TEST

/* A process number that nobody has: of a child that has been waited for. */
static pid_t gone(void)
{
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return child;
}

/* Makes NAME.tmp-PID in the folder of the test. */
static void leftover(const char *name, long pid)
{
    char temporary[64];
    Error error = {0};
    snprintf(temporary, sizeof temporary, "%s.tmp-%ld", name, pid);
    ck_ok(file_write(support_in_folder(temporary), "half", 4, &error), &error);
}

/* Used to stay for ever: a gigabyte each time that a training is killed while it saves. */
START_TEST(leftovers_of_killed_writers_go)
{
    Error error = {0};
    FileWriter writer;
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) { /* is killed between the beginning and the end */
        if (file_begin(&writer, support_in_folder("a"), &error) != STATUS_OK)
            _exit(1);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    file_remove_leftovers(support_in_folder("a"));
    ck_assert_int_eq(names_in_folder(), 1); /* it lives */
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    file_remove_leftovers(support_in_folder("a"));
    ck_assert_int_eq(names_in_folder(), 0);
    file_remove_leftovers(support_in_folder("none/a")); /* nothing to do, nothing said */
    close(ready[0]);
    close(ready[1]);
}
END_TEST

/* In the place of libc's: whether a file was locked when it got its name. */
static bool locked_when_renamed;

int rename(const char *from, const char *to)
{
    const int descriptor = open(from, O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        locked_when_renamed = flock(descriptor, LOCK_EX | LOCK_NB) != 0;
        close(descriptor);
    }
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* And what is removed right before the next lock is taken, as
 * file_remove_leftovers elsewhere may. */
static const char *taken_away;

int flock(int descriptor, int operation)
{
    if (taken_away)
        ck_assert_int_eq(unlink(taken_away), 0);
    taken_away = NULL;
    return (int)syscall(SYS_flock, descriptor, operation);
}

START_TEST(a_writer_keeps_its_file_from_begin_to_end)
{
    Error error = {0};
    FileWriter writer;
    char temporary[FILE_PATH_SIZE];
    snprintf(temporary, sizeof temporary, "%s.tmp-%ld", support_in_folder("a"), (long)getpid());
    taken_away = temporary;
    ck_ok(file_begin(&writer, support_in_folder("a"), &error), &error);
    ck_assert_ptr_null(taken_away);
    fputs("whole", writer.stream);
    ck_ok(file_commit(&writer, &error), &error);
    ck_assert(locked_when_renamed);
    expect_content(support_in_folder("a"), "whole");
    ck_assert_int_eq(names_in_folder(), 1);
}
END_TEST

START_TEST(others_than_leftovers_stay)
{
    Error error = {0};
    FileWriter writer;
    const pid_t unused_pid = gone();
    char name[64];
    leftover("b", unused_pid); /* of another target */
    leftover("a", getppid());  /* lives */
    leftover("a", 1);          /* lives, and is another user's */
    leftover("xa", unused_pid);
    leftover("a.tmp-", unused_pid);
    snprintf(name, sizeof name, "a.tmp-0%d", (int)unused_pid);
    ck_ok(file_write(support_in_folder(name), "", 0, &error), &error);
    snprintf(name, sizeof name, "a.tmp-%dx", (int)unused_pid);
    ck_ok(file_write(support_in_folder(name), "", 0, &error), &error);
    ck_ok(file_write(support_in_folder("a.tmp-"), "", 0, &error), &error);
    ck_ok(file_write(support_in_folder("a.tmp-99999999999999999999"), "", 0, &error), &error);
    file_remove_leftovers(support_in_folder("a"));
    ck_assert_int_eq(names_in_folder(), 9);

    /* A number that nobody has here, but a writer's lock: of another machine on the same disk. */
    ck_ok(file_begin(&writer, support_in_folder("c"), &error), &error);
    snprintf(name, sizeof name, "c.tmp-%d", (int)unused_pid);
    ck_assert_int_eq(rename(writer.temporary, support_in_folder(name)), 0);
    file_remove_leftovers(support_in_folder("c"));
    ck_assert_int_eq(names_in_folder(), 10);
    ck_assert_int_eq(file_commit(&writer, &error), STATUS_FAILED);
    file_remove_leftovers(support_in_folder("c"));
    ck_assert_int_eq(names_in_folder(), 9);

    /* No link is followed, and no folder removed. */
    ck_assert_int_eq(symlink("xa", support_in_folder(name)), 0);
    file_remove_leftovers(support_in_folder("c"));
    ck_assert_int_eq(names_in_folder(), 10);
    ck_assert_int_eq(unlink(support_in_folder(name)), 0);
    ck_ok(file_make_folders(support_in_folder(name), &error), &error);
    file_remove_leftovers(support_in_folder("c"));
    ck_assert(file_is_folder(support_in_folder(name)));
}
END_TEST

START_TEST(begin_refuses)
{
    Error error = {0};
    FileWriter writer;
    ck_assert_int_eq(file_begin(&writer, support_in_folder("none/a"), &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot be written: No such file or directory"));
    ck_assert_int_eq(file_begin(&writer, support_in_folder(""), &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "not a regular file"));
    ck_assert_int_eq(file_begin(&writer, "/dev/null", &error), STATUS_FAILED);
    char path[2 * FILE_PATH_SIZE];
    memset(path, 'p', sizeof path);
    path[FILE_PATH_SIZE] = '\0';
    ck_assert_int_eq(file_begin(&writer, path, &error), STATUS_FAILED);
    ck_assert_int_eq(names_in_folder(), 0);
}
END_TEST

START_TEST(folders)
{
    Error error = {0};
    ck_ok(file_make_folders(support_in_folder("a/b//c/"), &error), &error);
    ck_assert(file_is_folder(support_in_folder("a/b/c")));
    ck_ok(file_make_folders(support_in_folder("a/b/c"), &error), &error);
    ck_ok(file_make_folders("/", &error), &error);
    ck_ok(file_write(support_in_folder("file"), "", 0, &error), &error);
    ck_assert(file_exists(support_in_folder("file")));
    ck_assert(!file_is_folder(support_in_folder("file")));
    ck_assert(!file_exists(support_in_folder("other")));
    ck_assert_int_eq(file_make_folders(support_in_folder("file/b"), &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "/file: the folder cannot be created"));
    ck_assert_int_eq(file_make_folders("", &error), STATUS_FAILED);
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *folder, *name, *joined;
    } table[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
                 {"a", "/b", "/b"}, {"/", "b", "/b"},   {"a/b", "c/d", "a/b/c/d"}};
    Error error = {0};
    char out[FILE_PATH_SIZE];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_ok(file_join(out, table[i].folder, table[i].name, &error), &error);
        ck_assert_str_eq(out, table[i].joined);
    }
    char name[FILE_PATH_SIZE];
    memset(name, 'n', sizeof name);
    name[FILE_PATH_SIZE - 3] = '\0';
    ck_ok(file_join(out, "a", name, &error), &error);
    ck_assert_uint_eq(strlen(out), FILE_PATH_SIZE - 1);
    ck_assert_int_eq(file_join(out, "ab", name, &error), STATUS_FAILED);

    ck_assert_str_eq(file_name("a/b.txt"), "b.txt");
    ck_assert_str_eq(file_name("b.txt"), "b.txt");
    ck_assert_str_eq(file_name("a/"), "");
    ck_assert_uint_eq(file_shared_folders("a/b/c", "a/b/d", 5), 4);
    ck_assert_uint_eq(file_shared_folders("a/b/c", "a/b/d", 3), 2);
    ck_assert_uint_eq(file_shared_folders("a/bc", "a/bd/e", 9), 2);
    ck_assert_uint_eq(file_shared_folders("ab", "ab", 2), 0);
}
END_TEST

/* It used to be the end of the process, by SIGBUS. */
START_TEST(a_mapped_file_that_shrinks_reads_as_zeros_and_is_reported)
{
    enum { PAGES = 5 };
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const char *const path = support_in_folder("shrinks");
    char *const content = malloc(PAGES * page);
    FileMap mapped, other;
    Error error = {0};
    memset(content, 'x', PAGES * page);
    ck_ok(file_write(path, content, PAGES * page, &error), &error);
    ck_ok(file_write(support_in_folder("other"), content, page, &error), &error);
    ck_ok(file_map(path, &mapped, &error), &error);
    ck_ok(file_map(support_in_folder("other"), &other, &error), &error);
    ck_assert_int_eq(truncate(path, (off_t)(2 * page)), 0);
    ck_assert_int_eq(mapped.data[2 * page - 1], 'x');
    ck_ok(file_check_mappings(&error), &error);
    ck_assert_int_eq(mapped.data[3 * page], 0);
    ck_assert_int_eq(mapped.data[PAGES * page - 1], 0);
    ck_assert_int_eq(mapped.data[page], 'x');
    ck_assert_int_eq(other.data[0], 'x');
    file_unmap(&mapped);
    ck_assert_int_eq(file_check_mappings(&error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "shrinks: shrank"));
    file_unmap(&other);
    free(content);
}
END_TEST

/* AddressSanitizer would report the bus error that this test wants to end the process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_sigbus=0";
}

/* A fault elsewhere still ends the process. */
START_TEST(another_bus_error_is_not_hidden)
{
    FileMap mapped;
    Error error = {0};
    const char *const path = support_in_folder("own");
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    ck_ok(file_write(path, "x", 1, &error), &error);
    ck_ok(file_map(path, &mapped, &error), &error);
    const int descriptor = open(path, O_RDONLY);
    const volatile char *const own = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, descriptor, 0);
    ck_assert(own != MAP_FAILED);
    (void)own[page];
}
END_TEST

/* Folder `path` with files a and b that both hold `content`. */
static Status write_pair(const char *path, const char *content, Error *error)
{
    FolderWriter writer;
    char file[FILE_PATH_SIZE];
    TRY(file_folder_begin(&writer, path, error));
    Status status = STATUS_OK;
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        status = file_join(file, writer.temporary, i == 0 ? "a" : "b", error);
        if (status == STATUS_OK)
            status = file_write(file, content, strlen(content), error);
    }
    if (status == STATUS_OK)
        status = file_folder_commit(&writer, error);
    file_folder_abort(&writer);
    return status;
}

/* Whether the folder is there; then it must hold a and b, alike. */
static bool is_complete_pair(const char *path)
{
    Error error = {0};
    char file[FILE_PATH_SIZE], *content[2];
    size_t size[2];
    if (!file_exists(path))
        return false;
    for (int i = 0; i < 2; i++) {
        ck_ok(file_join(file, path, i == 0 ? "a" : "b", &error), &error);
        ck_ok(file_read(file, 100, &content[i], &size[i], &error), &error);
    }
    ck_assert_uint_eq(size[0], 1);
    ck_assert_str_eq(content[0], content[1]);
    free(content[0]);
    free(content[1]);
    return true;
}

/*
 * A process that replaces a folder is killed anywhere in its work: the folder is the whole old or
 * the whole new one, and the next writer removes what was left.
 */
START_TEST(killed_writers_leave_whole_folders)
{
    Error error = {0};
    int found = 0;
    for (int round = 0; round < 60; round++) {
        const pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            for (int i = 0;; i++)
                if (write_pair(support_in_folder("p"), i % 2 ? "1" : "0", &error) != STATUS_OK)
                    _exit(1);
        }
        usleep((useconds_t)(3000 + round * 533));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert_msg(WIFSIGNALED(how), "the writer ended by itself");
        const bool there = is_complete_pair(support_in_folder("p"));
        ck_assert_msg(there || found == 0, "the folder is lost");
        found += there;
    }
    ck_assert_int_gt(found, 0);
    ck_ok(write_pair(support_in_folder("p"), "2", &error), &error);
    ck_assert(is_complete_pair(support_in_folder("p")));
    ck_assert_int_eq(names_in_folder(), 1);
}
END_TEST

/* File systems without RENAME_EXCHANGE: killed between two renames, the old
 * folder is PATH.before. */
START_TEST(a_folder_set_aside_comes_back)
{
    Error error = {0};
    FolderWriter writer;
    const char *const path = support_in_folder("p");
    ck_ok(write_pair(path, "1", &error), &error);
    ck_assert_int_eq(rename(path, support_in_folder("p.before")), 0);
    ck_ok(file_folder_begin(&writer, path, &error), &error);
    file_folder_abort(&writer);
    ck_assert(is_complete_pair(path));
    ck_assert_int_eq(names_in_folder(), 1);
}
END_TEST

START_TEST(folders_of_every_kind)
{
    Error error = {0};
    FolderWriter writer;
    const char *const path = support_in_folder("p/q/");
    ck_ok(file_write(support_in_folder("f"), "x", 1, &error), &error);
    ck_assert_int_eq(file_folder_begin(&writer, support_in_folder("f"), &error), STATUS_FAILED);
    ck_assert_ptr_nonnull(strstr(error.message, "is not a folder"));
    ck_assert(file_folder_is_empty(path));
    ck_ok(write_pair(path, "1", &error), &error);
    ck_assert(!file_folder_is_empty(path) && is_complete_pair(path));
    ck_assert_int_eq(chdir(path), 0);
    ck_ok(write_pair(".", "2", &error), &error); /* the working directory stays the same folder */
    ck_assert(is_complete_pair(".") && is_complete_pair(path));
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("file");
    TCase *const files = support_case(suite, "files", 20);
    tcase_add_checked_fixture(files, support_folder_setup, support_folder_teardown);
    tcase_add_test(files, write_then_read);
    tcase_add_test(files, new_file_applies_umask);
    tcase_add_test(files, read_refuses);
    tcase_add_test(files, map);
    tcase_add_test(files, a_mapped_file_that_shrinks_reads_as_zeros_and_is_reported);
    tcase_add_test_raise_signal(files, another_bus_error_is_not_hidden, SIGBUS);
    tcase_add_test(files, abort_leaves_the_old_file);
    tcase_add_test(files, full_disk_leaves_the_old_file);
    tcase_add_test(files, leftovers_of_killed_writers_go);
    tcase_add_test(files, a_writer_keeps_its_file_from_begin_to_end);
    tcase_add_test(files, others_than_leftovers_stay);
    tcase_add_test(files, begin_refuses);
    tcase_add_test(files, folders);
    tcase_add_test(files, paths);
    tcase_add_test(files, killed_writers_leave_whole_folders);
    tcase_add_test(files, a_folder_set_aside_comes_back);
    tcase_add_test(files, folders_of_every_kind);
    return support_main(suite);
}
