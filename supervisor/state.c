/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "procfs.h"
#include "smallfile.h"
#include "state.h"

#define LOCK_FILE	"reeved.lock"
#define STOPPING_FILE	"reeved.stopping"
#define PID_SIZE	32
#define LOCK_TRIES	50	/* every 10 ms */

int
state_path(const char *given, char *buf, size_t size)
{
	const char	*xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int		 n;

	if (given == NULL)
		given = getenv("REEVE_STATE");
	if (given != NULL && given[0] != '\0')
		n = snprintf(buf, size, "%s", given);
	else if (geteuid() == 0)
		n = snprintf(buf, size, "%s", STATEDIR);
	else if (xdg != NULL && xdg[0] == '/')
		n = snprintf(buf, size, "%s/reeve", xdg);
	else if (home != NULL && home[0] != '\0')
		n = snprintf(buf, size, "%s/.local/state/reeve", home);
	else
		n = -1;
	if (n >= 0 && (size_t)n < size)
		return 0;
	errno = n < 0 ? ENOENT : ENAMETOOLONG;
	return -1;
}

/* Who has it, as far as can be told: 0 is nobody, or unknown. */
static pid_t
lock_holder(int fd)
{
	struct flock	whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK ?
	    whole.l_pid : 0;
}

static bool
is_dead(pid_t pid)
{
	struct procfs_stat	st;

	if (procfs_stat(pid, &st))
		return st.is_zombie;
	return errno == ENOENT || errno == ESRCH;
}

/* Both, or -1 and errno. */
static int
take_once(int fd)
{
	struct flock	whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &whole) == -1) {
		if (errno == EACCES || errno == EAGAIN)
			errno = EWOULDBLOCK;
		return -1;
	}
	return flock(fd, LOCK_EX | LOCK_NB);
}

/*
 * In place, into what is kept of the disk by state_unlock.  Where there was
 * none and the disk is full, services matter more than who asks for the pid.
 */
static int
note_pid(int fd)
{
	char	line[PID_SIZE];
	int	len = snprintf(line, sizeof(line), "%ld\n", (long)getpid());

	if (pwrite(fd, line, (size_t)len, 0) == len)
		return ftruncate(fd, len);
	if (!smallfile_no_space(errno))
		return -1;
	log_warn("cannot note the process id", "error=%s",
	    log_str(strerror(errno)));
	return 0;
}

/* A child that a killed reeved was forking may hold them for a moment. */
static int
take(int fd, long *holder)
{
	struct timespec	pause = { .tv_nsec = 10000000 };
	int		i;

	for (i = 0; i < LOCK_TRIES; i++) {
		if (take_once(fd) == 0)
			return note_pid(fd);
		if (errno != EWOULDBLOCK)
			return -1;
		*holder = lock_holder(fd);
		if (*holder != 0 && !is_dead((pid_t)*holder))
			break;
		nanosleep(&pause, NULL);
	}
	errno = EWOULDBLOCK;
	return -1;
}

int
state_lock(int dir_fd, long *holder)
{
	int	fd, saved;

	*holder = 0;
	fd = openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd == -1 || take(fd, holder) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
state_told(int dir_fd, const char *boot_id)
{
	char	text[160];
	int	n;

	n = snprintf(text, sizeof(text), "told_pid=%ld\n"
	    "told_start_ticks=%llu\nboot_id=%s\n", (long)getpid(),
	    procfs_start_ticks(getpid()), boot_id);
	return smallfile_write(dir_fd, STOPPING_FILE, text, (size_t)n);
}

int
state_unlock(int fd)
{
	int	saved, error;

	error = ftruncate(fd, 0);
	saved = errno;
	/* Not each file system can. */
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, PID_SIZE);
	close(fd);
	errno = saved;
	return error;
}
