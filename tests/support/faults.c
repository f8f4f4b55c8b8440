/* Makes one system call of a program fail: a library for LD_PRELOAD.
 *
 *   FAULT_CALL   open, read, write, sync, rename, spawn or thread: the kind of call
 *   FAULT_AT     the number of the call of this kind that fails, from 1; 0 counts and fails none
 *   FAULT_ERRNO  the error's number, or "short": only half of what was to be read or written
 *   FAULT_STICKY if set, all later calls fail as well
 *   FAULT_SIDE   engine or task: which processes of moldflow are meant
 *   FAULT_BELOW  only files below this directory are meant
 *   FAULT_COUNT  a file of eight bytes that all processes count in
 *
 * Opens also stand for making directories, syncs for fsync and fdatasync, renames for links. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *kind, *below;
static long at;
static int error, is_short, is_sticky;
static atomic_long *count;

/* By the command line: tasks are `moldflow task run`. */
static int is_moldflow(int *is_task) {
    char words[4096];
    int fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0);
    long length = syscall(SYS_read, fd, words, sizeof words - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    words[length] = 0;
    *is_task = strcmp(words + strlen(words) + 1, "task") == 0;
    const char *name = strrchr(words, '/');
    return strcmp(name ? name + 1 : words, "moldflow") == 0;
}

__attribute__((constructor)) static void configure(void) {
    const char *file = getenv("FAULT_COUNT"), *which = getenv("FAULT_ERRNO");
    kind = getenv("FAULT_CALL");
    below = getenv("FAULT_BELOW");
    const char *side = getenv("FAULT_SIDE");
    if (!file || !which || !kind || !below || !side) return;
    int is_task = 0;
    if (!is_moldflow(&is_task) || is_task != (strcmp(side, "task") == 0)) return;
    int fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (shared == MAP_FAILED) return;
    at = atol(getenv("FAULT_AT"));
    is_short = strcmp(which, "short") == 0;
    error = is_short ? 0 : atoi(which);
    is_sticky = getenv("FAULT_STICKY") != NULL;
    count = shared;
}

static int is_meant(const char *path) {
    return path && strncmp(path, below, strlen(below)) == 0;
}

/* Counts a call; whether this one is to fail. */
static int strikes(const char *call) {
    if (!count || strcmp(call, kind) != 0) return 0;
    long number = atomic_fetch_add(count, 1) + 1;
    return at > 0 && (number == at || (is_sticky && number > at));
}

static int fails(const char *call, const char *path) {
    if (!count || !is_meant(path) || !strikes(call)) return 0;
    errno = error;
    return 1;
}

/* The file behind a descriptor, or behind a name relative to one. */
static const char *path_of(int fd, const char *name, char *buffer) {
    if (!count) return NULL;
    if (name && name[0] == '/') return name;
    char link[64];
    if (fd == AT_FDCWD) strcpy(link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    if (name && name[0]) {
        size_t left = PATH_MAX - length - 1;
        snprintf(buffer + length, left, "/%s", name);
    }
    return buffer;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define FAILS_AT(call, fd, name) (path_of(fd, name, buffer) && fails(call, path_of(fd, name, buffer)))

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        REAL(name);                                                             \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); \
        char buffer[PATH_MAX];                                                  \
        return FAILS_AT("open", AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }
#define OPENAT(name)                                                            \
    int name(int dir, const char *path, int flags, ...) {                       \
        REAL(name);                                                             \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more); \
        char buffer[PATH_MAX];                                                  \
        return FAILS_AT("open", dir, path) ? -1 : real(dir, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    char buffer[PATH_MAX];
    return FAILS_AT("open", AT_FDCWD, path) ? -1 : real(path, mode);
}

/* A short call moves half of its bytes, one at least. */
#define MOVE(call, name, result, bytes, type)                                   \
    result name(int fd, type data, size_t size) {                               \
        REAL(name);                                                             \
        char buffer[PATH_MAX];                                                  \
        if (!FAILS_AT(call, fd, NULL)) return real(fd, data, size);             \
        return is_short ? real(fd, data, size > 1 ? size / 2 : size) : -1;      \
    }
#define MOVE_AT(call, name, type)                                               \
    ssize_t name(int fd, type data, size_t size, off64_t offset) {              \
        REAL(name);                                                             \
        char buffer[PATH_MAX];                                                  \
        if (!FAILS_AT(call, fd, NULL)) return real(fd, data, size, offset);     \
        return is_short ? real(fd, data, size > 1 ? size / 2 : size, offset) : -1; \
    }
MOVE("read", read, ssize_t, size, void *)
MOVE("write", write, ssize_t, size, const void *)
MOVE_AT("read", pread64, void *)
MOVE_AT("write", pwrite64, const void *)

ssize_t writev(int fd, const struct iovec *parts, int number) {
    REAL(writev);
    char buffer[PATH_MAX];
    if (!FAILS_AT("write", fd, NULL)) return real(fd, parts, number);
    return is_short ? real(fd, parts, 1) : -1;
}

#define SYNC(name)                                                              \
    int name(int fd) {                                                          \
        REAL(name);                                                             \
        char buffer[PATH_MAX];                                                  \
        return FAILS_AT("sync", fd, NULL) ? -1 : real(fd);                      \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    REAL(rename);
    char buffer[PATH_MAX];
    return FAILS_AT("rename", AT_FDCWD, to) ? -1 : real(from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    REAL(linkat);
    char buffer[PATH_MAX];
    return FAILS_AT("rename", to_dir, to) ? -1 : real(from_dir, from, to_dir, to, flags);
}

#define SPAWN(name)                                                             \
    int name(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, \
             const posix_spawnattr_t *attributes, char *const argv[], char *const env[]) { \
        REAL(name);                                                             \
        return strikes("spawn") ? error : real(pid, file, actions, attributes, argv, env); \
    }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)

pid_t fork(void) {
    REAL(fork);
    if (!strikes("spawn")) return real();
    errno = error;
    return -1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument) {
    REAL(pthread_create);
    return strikes("thread") ? error : real(thread, attributes, work, argument);
}
