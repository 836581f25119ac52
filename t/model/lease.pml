/* SPDX-License-Identifier: ISC */

/*
 * The lease of a shard: keepers and workers of HOSTS hosts, one broker
 * (daemons/lease.c, common/gate.c, common/worker.c).  t/model/prove runs it
 * with the numbers that are in the source.
 *
 * Time is in ticks of one margin.  Processes and messages take as many ticks
 * as they like, or for ever: that is delay, loss, SIGSTOP and death in one.
 * Ages of stamps are CLOCK_BOOTTIME's, which runs on while a process does not.
 *
 * Proven:
 * - At no moment do workers of two hosts work.  To work is the slice of a
 *   batch that was proven: the lease was read, and names this host in time.
 * - While a host's worker works, no pull of another waits at the broker, but
 *   one that was under way for longer than the margin and came when the
 *   worker had bound, and so had seen that none waits (PULLS).
 * - Once nothing is lost, killed or stopped any more, some host works within
 *   the TTL and two ticks, and soon in every tick (LIVE).
 *
 * Not promised by timing, and not asked for: message ids make it without
 * effect on content (design, "Single flight per shard"):
 * - the second half of a slice that SIGSTOP cuts in two;
 * - a publish or a pull that is under way for longer than the margin.
 *
 * Not modelled: clock drift; a broker that forgets a revision, or whose clock
 * jumps; stray writes to the key; copies of a state directory.  A host that
 * boots is one more host.
 *
 * The model may do all that the programs may, and more:
 * - A keeper knows the newest revision from the answer to its write, or since
 *   it read it: at any moment after that it may write.  It releases whenever
 *   it likes, and a new one on its host knows nothing.
 * - What a worker sees of the record is as of now, or as of some time ago.
 *   That the watch may bring an old one late is to have seen it early and to
 *   have waited.
 * - One worker stands for a host's three: each must have said that it paused.
 * - What can no longer be stored is as good as lost.
 *
 * Defined by t/model/prove, a fault each, which must be found:
 * STAMP_LATE, UNFENCED, UNFENCED_DELETE, NO_RELEASE_WAIT, SILENCE_IS_PAUSE,
 * NO_ALONE, NO_EXPIRY; and MARGIN, GATE_MARGIN, SLICE, RENEW, EXPIRY.
 */

#ifndef HOSTS
#define HOSTS	2
#endif
#ifndef TTL
#define TTL	10		/* ticks */
#endif
#ifndef MARGIN
#define MARGIN	1
#endif
#ifndef GATE_MARGIN		/* of the right to work */
#define GATE_MARGIN	MARGIN
#endif
#ifndef PULL_MARGIN		/* of a pull's `expires` */
#define PULL_MARGIN	MARGIN
#endif
#ifndef SLICE
#define SLICE	1		/* ticks that a slice takes at most */
#endif
#ifndef RENEW
#define RENEW	3		/* ticks between renewals (LIVE) */
#endif
#ifndef EXPIRY
#define EXPIRY	TTL		/* the broker drops no key before */
#endif

#define GATE	(TTL - GATE_MARGIN)	/* so old a stamp entitles nobody */
#define NOBODY	HOSTS			/* no record */
#define MARK	(HOSTS + 1)		/* the marker of a deletion */

/* The record, as the broker has it. */
byte	rec = NOBODY;		/* whose */
bool	releasing;
byte	stamp;			/* its age: since before it was sent */
byte	kept;			/* since it was stored */

/* What a keeper knows: nothing it could write on; that there was no record;
 * the newest revision, of the marker or of its own record; the same of its
 * own word that it is releasing. */
mtype = { nothing, vacant, newest, released };
mtype	knows[HOSTS];

/* Its write that is under way, and how old its stamp is. */
mtype = { none, create, update, announce, erase };
mtype	sent[HOSTS];
byte	sent_stamp[HOSTS];

/* A worker: between batches, with the answer of its read, working. */
mtype = { idle, proven, working };
mtype	worker[HOSTS];
byte	view[HOSTS];		/* age of the stamp it goes by; GATE: none */
byte	spent[HOSTS];		/* on this slice */
bool	bound[HOSTS];		/* its keeper has heard that it is, or will
				 * have before it can work */

byte	k;			/* loops in atomic steps */

#ifdef LIVE
bool	calm;			/* no more faults */
bool	settled;		/* and the holder's worker works */
byte	waited;			/* ticks since then, or since a slice */
bool	gone[HOSTS];		/* hosts that are down by then */
byte	since[HOSTS];		/* the last renewal was sent */
bool	kept_turn[HOSTS], worked_turn[HOSTS];	/* in this tick */
#define FREE	!calm		/* as long and as often as it likes */
#else
#define FREE	true
#endif

#ifdef PULLS
byte	flew[HOSTS];		/* a pull is under way; 1 + ticks since */
byte	expires[HOSTS];		/* what it has left from its arrival */
bool	waits[HOSTS];		/* it is there */
#define OTHER_WAITS(h)	((h != 0 && waits[0]) || (h != 1 && waits[1]) || \
	(h != HOSTS - 1 && waits[HOSTS - 1]))
#define OTHER_BOUND(h)	((h != 0 && bound[0]) || (h != 1 && bound[1]) || \
	(h != HOSTS - 1 && bound[HOSTS - 1]))
#else
#define OTHER_WAITS(h)	false
#endif
#ifdef NO_ALONE
#define ALONE(h)	true
#else
#define ALONE(h)	!OTHER_WAITS(h)
#endif

#define OTHER_WORKS(h)	((h != 0 && worker[0] == working) || \
	(h != 1 && worker[1] == working) || \
	(h != HOSTS - 1 && worker[HOSTS - 1] == working))

#if defined(UNFENCED)
#define FENCED(what)	false
#elif defined(UNFENCED_DELETE)
#define FENCED(what)	(what == update || what == announce)
#else
#define FENCED(what)	(what == update || what == announce || what == erase)
#endif

/* Whatever revision somebody knew is not the newest any more. */
inline changed()
{
	k = 0;
	do
	:: k < HOSTS ->
		if
		:: knows[k] == newest || knows[k] == released ->
			knows[k] = nothing
		:: else
		fi;
		if
		:: FENCED(sent[k]) -> lost(k)
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline lost(x)
{
	sent[x] = none;
	sent_stamp[x] = 0
}

/* --- the keeper ---------------------------------------------------------- */

/* Stamped, then sent. */
inline send(h, what)
{
	sent[h] = what;
	sent_stamp[h] = 0
}

inline read_key(h)
{
	if
	:: rec == NOBODY -> knows[h] = vacant
	:: rec == MARK -> knows[h] = newest
	:: rec == h -> knows[h] = (releasing -> nothing : newest)
	:: else -> knows[h] = nothing
	fi
}

inline put(h)
{
	if
	:: knows[h] == vacant -> send(h, create); knows[h] = nothing
	:: knows[h] == newest -> send(h, update)
	:: else
	fi
}

proctype Keeper(byte h)
{
	do
	:: atomic { FREE && (knows[h] == nothing || knows[h] == vacant) ->
		read_key(h) }
	:: atomic { FREE && sent[h] == none &&
	    (knows[h] == vacant || knows[h] == newest) -> put(h) }
	:: atomic { FREE && knows[h] != nothing -> knows[h] = nothing }
	:: atomic { FREE && sent[h] != none -> lost(h) }

	/* Release: say so; when the workers have paused, delete. */
	:: atomic { FREE && sent[h] == none && knows[h] == newest &&
	    rec == h -> send(h, announce) }
	:: atomic { FREE && rec == h && releasing -> knows[h] = released }
#ifdef NO_RELEASE_WAIT
	:: atomic { FREE && sent[h] == none && knows[h] == released ->
#else
	:: atomic { FREE && sent[h] == none && knows[h] == released &&
	    !bound[h] ->
#endif
		send(h, erase);
		knows[h] = nothing }

#ifdef LIVE
	/* A turn each tick. */
	:: atomic { calm && !gone[h] && !kept_turn[h] && sent[h] == none ->
		kept_turn[h] = true;
		if
		:: rec != h || since[h] >= RENEW ->
			read_key(h);
			put(h);
			since[h] = 0
		:: else
		fi }
#endif
	od
}

/* --- the worker ------------------------------------------------------------ */

/* The record, by the watch or by the read with a batch. */
inline see(h)
{
	if
	:: rec == h && !releasing && stamp < GATE ->
#ifdef STAMP_LATE
		view[h] = 0
#else
		view[h] = stamp
#endif
	:: else -> view[h] = GATE
	fi
}

/* To say that it is bound goes before the question on one connection, and so
 * is heard before what is stored after the answer was given. */
inline ask(h)
{
	see(h);
	if
	:: view[h] < GATE && (bound[h] || ALONE(h)) ->
		bound[h] = true;
		worker[h] = proven
	:: else
	fi
}

inline begin(h)
{
	if
	:: view[h] < GATE ->
		assert(!OTHER_WORKS(h));
		assert(!OTHER_WAITS(h));
		worker[h] = working;
#ifdef LIVE
		settled = settled || (calm && !gone[h] && view[h] <= 1 &&
		    rec == h && !releasing && sent[h] != announce);
		waited = 0
#endif
	:: else -> end(h)
	fi
}

inline end(h)
{
	worker[h] = idle;
	spent[h] = 0;
#ifndef PULLS
	view[h] = GATE
#endif
}

proctype Worker(byte h)
{
	do
	:: atomic { FREE && worker[h] == idle -> ask(h) }
	:: atomic { FREE && worker[h] == proven -> see(h) }
	:: atomic { worker[h] == proven -> begin(h) }
	:: atomic { FREE && worker[h] == proven -> end(h) }
	:: atomic { worker[h] == working -> end(h) }
	/* Paused, or begun anew: it says so. */
	:: atomic { FREE && worker[h] == idle && bound[h] ->
		bound[h] = false;
		view[h] = GATE;
#ifdef PULLS
		/* Nobody has its inbox any more: the broker drops it. */
		flew[h] = 0;
		waits[h] = false;
		expires[h] = 0
#endif
		}
#ifdef SILENCE_IS_PAUSE
	:: atomic { FREE && bound[h] && worker[h] != working ->
		bound[h] = false }
#endif
#ifdef PULLS
	/* Killed: what it asked for waits on. */
	:: atomic { bound[h] && worker[h] == idle && view[h] < GATE ->
		view[h] = GATE }
	:: atomic { bound[h] && worker[h] == idle && view[h] < GATE &&
	    flew[h] == 0 && !waits[h] ->
		flew[h] = 1;
		expires[h] = TTL - PULL_MARGIN - view[h] }
#endif
#ifdef LIVE
	:: atomic { calm && !gone[h] && worker[h] == idle &&
	    !worked_turn[h] ->
		worked_turn[h] = true;
		ask(h) }
#endif
	od
}

/* --- the broker ---------------------------------------------------------------- */

inline store(h)
{
	if
#ifndef UNFENCED
	:: sent[h] == create && rec != NOBODY -> lost(h)
#endif
	:: else ->
		releasing = (sent[h] == announce);
		stamp = (sent[h] == erase -> 0 : sent_stamp[h]);
		rec = (sent[h] == erase -> MARK : h);
		kept = 0;
		lost(h);
		changed();
#ifdef LIVE
		if
		:: calm && rec == h -> knows[h] = newest
		:: else
		fi
#endif
	fi
}

inline older(age, most)
{
	age = (age < most -> age + 1 : most)
}

inline tick_host(h)
{
	older(view[h], GATE);
	if
	:: worker[h] == working -> spent[h]++
	:: else
	fi;
	if
	:: sent[h] != none && sent[h] != erase -> older(sent_stamp[h], GATE)
	:: else
	fi;
#ifdef PULLS
	if
	:: flew[h] != 0 -> older(flew[h], MARGIN + 2)
	:: waits[h] ->
		expires[h] = expires[h] - 1;
		waits[h] = (expires[h] != 0)
	:: else
	fi;
#endif
#ifdef LIVE
	if
	:: calm ->
		older(since[h], RENEW);
		kept_turn[h] = false;
		worked_turn[h] = false
	:: else
	fi
#endif
}

inline tick()
{
	if
	:: rec < HOSTS -> older(stamp, GATE)
	:: else
	fi;
	if
	:: rec != NOBODY -> older(kept, EXPIRY)
	:: else
	fi;
	k = 0;
	do
	:: k < HOSTS -> tick_host(k); k++
	:: else -> break
	od;
	k = 0
}

#define EXPIRES		(rec != NOBODY && kept >= EXPIRY)
#define IN_TIME(h)	(worker[h] != working || spent[h] < SLICE)
#ifdef LIVE
#define RESTS(h)	(!calm || (sent[h] == none && worker[h] == idle && \
	(gone[h] || (kept_turn[h] && worked_turn[h]))))
#else
#define RESTS(h)	true
#endif

proctype Broker()
{
	do
	:: atomic { sent[0] != none -> store(0) }
	:: atomic { sent[1] != none -> store(1) }
#if HOSTS > 2
	:: atomic { sent[2] != none -> store(2) }
#endif
#ifndef NO_EXPIRY
	/* Never early, and as late as it likes. */
	:: atomic { EXPIRES ->
		rec = NOBODY;
		releasing = false;
		stamp = 0;
		kept = 0;
		changed() }
#endif
	od
}

#ifdef PULLS
proctype Pull(byte h)
{
	do
	:: atomic { flew[h] != 0 ->
		if
		:: OTHER_BOUND(h) && flew[h] > MARGIN + 1 ->
			expires[h] = 0		/* not promised */
		:: else -> waits[h] = (expires[h] != 0)
		fi;
		flew[h] = 0 }
	od
}
#endif

proctype Clock()
{
	do
	:: atomic { IN_TIME(0) && IN_TIME(1) && IN_TIME(HOSTS - 1) &&
#ifdef LIVE
	    RESTS(0) && RESTS(1) && RESTS(HOSTS - 1) &&
#ifndef NO_EXPIRY
	    (!calm || !EXPIRES) &&
#endif
#endif
	    true ->
		tick();
#ifdef LIVE
		if
		:: calm ->
			waited++;
			assert(waited <= (settled -> 1 : TTL + 2))
		:: else
		fi
#endif
		}
#ifdef LIVE
	/* One host is whole; the others are, or are down. */
	:: atomic { !calm ->
		calm = true;
		k = 1;
		do
		:: k < HOSTS -> gone[k] = true; k++
		:: k < HOSTS -> k++
		:: k >= HOSTS -> break
		od;
		k = 0 }
#endif
	od
}

init {
	atomic {
		k = 0;
		do
		:: k < HOSTS ->
			knows[k] = nothing;
			sent[k] = none;
			worker[k] = idle;
			view[k] = GATE;
			run Keeper(k);
			run Worker(k);
#ifdef PULLS
			run Pull(k);
#endif
			k++
		:: else -> break
		od;
		k = 0;
		run Broker();
		run Clock()
	}
}
