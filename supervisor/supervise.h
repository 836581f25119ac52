/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SUPERVISE_H
#define REEVE_SUPERVISE_H

#include "service.h"

/*
 * The directory supervise/ of a service: runit's files, byte for byte, and
 * our own supervise/reeve.
 *
 *	lock		locked while we supervise
 *	control		fifo: each byte is a command
 *	ok		fifo: someone has it open, so a supervisor is there
 *	status		STATUS_SIZE bytes, see supervise_pack_status
 *	stat, pid	the same for people
 *	reeve		key=value lines, see reeve-service(5)
 *	*.spare		of the last four, see smallfile.h
 */

#define STATUS_SIZE	20

/* What supervise/reeve says of the process, to know it again. */
struct supervise_record {
	pid_t			 pid;		/* 0: none */
	unsigned long long	 start_ticks;
	char			 boot_id[40];
	pid_t			 told_pid;	/* 0: none */
	unsigned long long	 told_ticks;
};

/*
 * Make the directory and its fifos, take the lock.  -1 and errno, nothing
 * left open: EWOULDBLOCK when another supervisor has it.
 */
int	supervise_open(struct service *);

/* Open ok, the sign that the rest is in place.  -1 and errno. */
int	supervise_announce(struct service *);

/*
 * Write reeve and status, and have room for them to be written again when the
 * disk is full.  -1 and errno.
 */
int	supervise_reserve(struct service *, const char *boot_id);

/* Give lock and ok up. */
void	supervise_close(struct service *);

/* Write reeve.  -1 and errno. */
int	supervise_record(struct service *, const char *boot_id);

/* Write of status, stat, pid and reeve what has changed.  -1 and errno: not
 * all is written. */
int	supervise_publish(struct service *, const char *boot_id);

/*
 * 8 bytes TAI64 label, 4 nanoseconds, both big endian; 4 bytes pid, little
 * endian; paused; 'u' or 'd'; got TERM; 0 down, 1 run, 2 finish.
 */
void	supervise_pack_status(const struct service *,
	    unsigned char status[STATUS_SIZE]);

/* Read what a predecessor wrote.  -1 and errno: EINVAL when it names no
 * process; what it says of others is there all the same. */
int	supervise_read_record(int dir_fd, struct supervise_record *);

/* A descriptor of supervise/control to read commands from.  -1 and errno. */
int	supervise_open_control(int dir_fd);

#endif
