/*
 * Parker (parker.h): WAKERS threads hand ITEMS elements each to one owner, who sleeps when there are none. This
 * is the protocol of EventLoop::park().
 *
 * The danger is a processor that lets a load overtake an earlier store. So every thread has a store buffer (as in
 * x86-TSO): a plain store waits there until the hardware writes it out at some moment, or until the thread does a
 * read-modify-write, which empties the buffer first.
 *
 * Proven: no wake-up is lost. An owner that slept for ever while there is an element would end the run in an
 * invalid end state, which spin reports.
 *
 * BROKEN n: mutations that spin must find faulty.
 *   1  the waker looks at the flag with a plain load: its element may still be in the buffer
 *   2  the owner announces with a plain store: it looks at its input before others can see the announcement
 *   3  the owner does not look at its input again after the announcement
 *   4  the waker wakes first and publishes then
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#define WAKERS 2
#ifndef ITEMS
#define ITEMS 2
#endif

bool parked = false;
bool signalled = false;       /* the eventfd, edge-triggered: a wait takes it */
byte published[WAKERS];       /* elements that everybody sees */
byte stored[WAKERS];          /* a waker's own view: the difference is in its buffer */
bool announcing = false;      /* the owner's buffer: parked = true is on its way (BROKEN 2) */

#define flush_waker(id) published[id] = stored[id]

/* The hardware: writes buffers out whenever it likes. */
active proctype hardware() {
  byte id;
end:
  do
  :: atomic { published[0] != stored[0] -> flush_waker(0) }
  :: atomic { published[1] != stored[1] -> flush_waker(1) }
  :: atomic { announcing -> announcing = false; parked = true }
  od
}

inline wake(id) {
#if BROKEN == 1
  was_parked = parked;
  if
  :: was_parked -> atomic { flush_waker(id); was_parked = parked; parked = false }
  :: else
  fi;
#else
  atomic { flush_waker(id); was_parked = parked; parked = false }
#endif
  if
  :: was_parked -> signalled = true
  :: else
  fi;
  was_parked = false
}

proctype waker(byte id) {
  byte number = 0;
  bool was_parked;

  do
  :: number == ITEMS -> break
  :: else ->
#if BROKEN == 4
     wake(id);
     stored[id] = stored[id] + 1;
#else
     stored[id] = stored[id] + 1;
     wake(id);
#endif
     number++
  od
}

proctype owner() {
  byte taken[WAKERS];
  bool input;

  do
  :: taken[0] == ITEMS && taken[1] == ITEMS -> break
  :: else ->
     /* A pass over the inputs. */
     input = false;
     if
     :: published[0] > taken[0] -> taken[0] = taken[0] + 1; input = true
     :: else
     fi;
     if
     :: published[1] > taken[1] -> taken[1] = taken[1] + 1; input = true
     :: else
     fi;
     if
     :: input
     :: !input && (taken[0] < ITEMS || taken[1] < ITEMS) ->
#if BROKEN == 2
        announcing = true;
#else
        parked = true;
#endif
#if BROKEN != 3
        if
        :: published[0] > taken[0] -> input = true
        :: else
        fi;
        if
        :: published[1] > taken[1] -> input = true
        :: else
        fi;
#endif
        if
        :: input
        :: else -> atomic { signalled -> signalled = false }
        fi;
        atomic { announcing = false; parked = false }
     :: else
     fi
  od
}

init {
  atomic { run owner(); run waker(0); run waker(1) }
}
