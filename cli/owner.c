/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "owner.h"

static int
become(const struct stat *st, struct error *e)
{
	const struct passwd	*pw = getpwuid(st->st_uid);
	int			 r;

	r = pw != NULL ? initgroups(pw->pw_name, pw->pw_gid) :
	    setgroups(0, NULL);
	if (r == -1 || setgid(pw != NULL ? pw->pw_gid : st->st_gid) == -1 ||
	    setuid(st->st_uid) == -1)
		return error_errno(e, EX_NOPERM, "cannot become uid %ld, who "
		    "owns the state directory", (long)st->st_uid);
	return 0;
}

int
owner_become(const char **state, struct error *e)
{
	static char	*dir;		/* *state, as long as we run */
	struct stat	 st;

	if (geteuid() != 0)
		return 0;
	if ((dir = config_state_dir(*state, e)) == NULL)
		return -1;
	if (stat(dir, &st) == -1 || st.st_uid == 0) {
		free(dir);
		dir = NULL;
		return 0;
	}
	*state = dir;
	return become(&st, e);
}
