/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "owner.h"

int
owner_become(const char *state_opt, struct error *e)
{
	const struct passwd	*pw;
	struct stat		 st;
	char			*state;
	int			 r;

	if (geteuid() != 0)
		return 0;
	if ((state = config_state_dir(state_opt, e)) == NULL)
		return -1;
	r = stat(state, &st);
	free(state);
	if (r == -1 || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	r = pw != NULL ? initgroups(pw->pw_name, pw->pw_gid) :
	    setgroups(0, NULL);
	if (r == -1 || setgid(pw != NULL ? pw->pw_gid : st.st_gid) == -1 ||
	    setuid(st.st_uid) == -1)
		return error_errno(e, EX_NOPERM, "cannot become uid %ld, who "
		    "owns the state directory", (long)st.st_uid);
	return 0;
}
