/* Stands between wfx and the system: fails calls on the database's files, and writes
 * down what happens to them. tests/wfx/faults/mod.rs compiles and preloads it.
 *
 * FAULT_DB      the database; -wal, -shm and -journal beside it are its files too
 * FAULT_RULE    "OPERATIONS ERRNO FIRST COUNT": the calls of these operations (joined by
 *               commas: write, fsync, ftruncate) from the FIRSTth on fail, COUNT of them,
 *               0: all. With an ERRNO of 0 they hang while FAULT_SWITCH is there, and
 *               then go on
 * FAULT_SWITCH  calls are counted and fail only while this file is there
 * FAULT_FIRED   gets a line for each call that failed
 * FAULT_LOG     gets a record for each change: see `record`
 *
 * None of it is handed on to the processes that wfx starts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char database[PATH_MAX], folder[PATH_MAX], switch_file[PATH_MAX];
static char operations[64];
static int code;
static long first, count;
static atomic_long calls;
static int fired = -1, log_file = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void take(const char *name, char *to, size_t size) {
  const char *value = getenv(name);
  if (value) snprintf(to, size, "%s", value);
  unsetenv(name);
}

static int append_to(const char *name) {
  char path[PATH_MAX] = "";
  take(name, path, sizeof path);
  return path[0] ? REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

__attribute__((constructor)) static void begin(void) {
  char rule[128] = "";
  take("FAULT_DB", database, sizeof database);
  take("FAULT_RULE", rule, sizeof rule);
  take("FAULT_SWITCH", switch_file, sizeof switch_file);
  unsetenv("LD_PRELOAD");
  fired = append_to("FAULT_FIRED");
  log_file = append_to("FAULT_LOG");
  sscanf(rule, "%63s %d %ld %ld", operations, &code, &first, &count);
  strcpy(folder, database);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
}

/* Which file of the database a path is: (d)atabase, (w)al, (s)hm, (j)ournal, (f)older. */
static char which(const char *path) {
  size_t length = strlen(database);
  if (!length) return 0;
  if (!strcmp(path, folder)) return 'f';
  if (strncmp(path, database, length)) return 0;
  const char *rest = path + length;
  if (!*rest) return 'd';
  if (!strcmp(rest, "-wal")) return 'w';
  if (!strcmp(rest, "-shm")) return 's';
  return strcmp(rest, "-journal") ? 0 : 'j';
}

static char which_fd(int fd) {
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return which(path);
}

/* Whether this call is to fail. */
static int fails(const char *operation, char file) {
  if (!file || file == 'f' || !strstr(operations, operation)) return 0;
  if (switch_file[0] && access(switch_file, F_OK)) return 0;
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (call < first || (count && call >= first + count)) return 0;
  char line[64];
  int length = snprintf(line, sizeof line, "%s %c %ld\n", operation, file, call);
  if (REAL(write)(fired, line, length) != length) abort();
  if (!code) {
    while (!access(switch_file, F_OK)) usleep(1000);
    return 0;
  }
  errno = code;
  return 1;
}

/* (W)rite, (T)runcate to `offset`, (S)ync, (C)reate, (U)nlink. A change is recorded after
 * it is made and a sync before, so that what a record of a sync claims is never too much.
 * One append for each, so that those of many processes do not mix. */
static void record(char what, char file, uint64_t offset, const void *bytes, size_t size) {
  if (log_file < 0 || !file || file == 's') return;
  int error = errno;
  struct { char what, file; uint16_t zero; uint32_t size; uint64_t offset; } head = {
    what, file, 0, (uint32_t)size, offset,
  };
  struct iovec parts[] = {{&head, sizeof head}, {(void *)bytes, size}};
  if (REAL(writev)(log_file, parts, 2) != (ssize_t)(sizeof head + size)) abort();
  errno = error;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  char file = which_fd(fd);
  if (fails("write", file)) return -1;
  ssize_t done = REAL(pwrite64)(fd, bytes, size, offset);
  if (done > 0) record('W', file, (uint64_t)offset, bytes, (size_t)done);
  return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return pwrite64(fd, bytes, size, offset);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  char file = which_fd(fd);
  if (fails("write", file)) return -1;
  ssize_t done = REAL(write)(fd, bytes, size);
  if (done > 0 && file) record('W', file, (uint64_t)(lseek(fd, 0, SEEK_CUR) - done), bytes, (size_t)done);
  return done;
}

int ftruncate64(int fd, off64_t length) {
  char file = which_fd(fd);
  if (fails("ftruncate", file)) return -1;
  int done = REAL(ftruncate64)(fd, length);
  if (!done) record('T', file, (uint64_t)length, NULL, 0);
  return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
  char file = which_fd(fd);
  if (fails("fsync", file)) return -1;
  record('S', file, 0, NULL, 0);
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  char file = which_fd(fd);
  if (fails("fsync", file)) return -1;
  record('S', file, 0, NULL, 0);
  return REAL(fdatasync)(fd);
}

int unlink(const char *path) {
  int done = REAL(unlink)(path);
  if (!done) record('U', which(path), 0, NULL, 0);
  return done;
}

/* Two processes that make one file at a time may both say so: no harm. */
#define OPENED(name, path, flags, call)                        \
  char file = (flags) & O_CREAT ? which(path) : 0;             \
  int is_new = file && access(path, F_OK);                     \
  va_list rest;                                                \
  va_start(rest, flags);                                       \
  mode_t mode = (flags) & O_CREAT ? va_arg(rest, mode_t) : 0;  \
  va_end(rest);                                                \
  int fd = REAL(name) call;                                    \
  if (fd >= 0 && is_new) record('C', file, 0, NULL, 0);        \
  return fd

int open(const char *path, int flags, ...) { OPENED(open, path, flags, (path, flags, mode)); }
int open64(const char *path, int flags, ...) { OPENED(open64, path, flags, (path, flags, mode)); }
int openat64(int at, const char *path, int flags, ...) {
  OPENED(openat64, path, flags, (at, path, flags, mode));
}
