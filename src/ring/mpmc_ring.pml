/*
 * MpmcRing (mpmc_ring.h): PRODUCERS and CONSUMERS threads, single calls and batches of any size up to BATCH.
 * Every access to shared memory is a step of its own, so that spin tries every interleaving.
 *
 * Proven for ITEMS elements a producer: each is delivered once; every consumer sees those of one producer in
 * their order; a slot is written only when it is empty and read only when it is filled; "full" is answered only
 * when the ring is full or a pop is under way, "empty" only when it is empty or a push is under way; nothing
 * stays in a popped slot; no deadlock. Positions start just below the number where they wrap, as size_t does.
 *
 * The positions are read relaxed: with STALE the first look at one may show any value it had before.
 * Not covered: other reordering by the processor or the compiler. What a missing release or acquire would allow
 * are BROKEN 1 and 2; ThreadSanitizer looks for the rest.
 *
 * BROKEN n: mutations that spin must find faulty.
 *   1  the stamp is published before the element is written
 *   2  the slot is handed back before the element is read
 *   3  the position is stored without comparing: two threads claim the same slot
 *   4  a batch looks only at its first slot
 *   5  a ring of one slot, which the constructor forbids
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef BATCH
#define BATCH 2
#endif
#if BROKEN == 5
#define CAPACITY 1
#else
#ifndef CAPACITY
#define CAPACITY 2
#endif
#endif

#define TOTAL (PRODUCERS * ITEMS)
#define WRAP 32 /* positions and stamps are numbers modulo this */
#define START 30
#define PLUS(a, b) (((a) + (b)) % WRAP)
#define MINUS(a, b) (((a) + WRAP - (b)) % WRAP)
#define INDEX(position) ((position) % CAPACITY)
#define BEHIND(distance) ((distance) >= WRAP / 2) /* negative, were it signed */

byte tail = START;
byte head = START;
byte stamp[CAPACITY];
byte item[CAPACITY]; /* 0: empty, else 1 + producer * ITEMS + number */

/* For the assertions only. */
byte claimed_in = 0;
byte written = 0;
byte claimed_out = 0;
byte released = 0;
bool taken[TOTAL];

/* First look at a position, relaxed. */
inline look(index, old) {
#ifdef STALE
  atomic {
    old = START;
    do
    :: old != index -> old = PLUS(old, 1)
    :: break
    od
  }
#else
  old = index
#endif
}

/* claim_slots(). Sets position and count; `answer` holds when the answer may be "none". */
inline claim(index, ready, wanted, claimed, answer) {
  look(index, position);
  do
  :: atomic {
       distance = MINUS(stamp[INDEX(position)], PLUS(position, ready));
       assert(!BEHIND(distance) || (answer))
     }
     if
     :: BEHIND(distance) -> count = 0; break
     :: !BEHIND(distance) && distance > 0 -> position = index
     :: distance == 0 ->
        count = 1;
        do
        :: count < wanted ->
           if
           :: BROKEN == 4 || stamp[INDEX(position + count)] == PLUS(position, count + ready) -> count++
           :: else -> break
           fi
        :: else -> break
        od;
        atomic {
          if
          :: BROKEN == 3 || index == position ->
             index = PLUS(position, count);
             claimed = claimed + count;
             break
          :: else -> position = index
          fi
        }
     fi
  od
}

inline write_item() {
  atomic {
    assert(item[INDEX(position + i)] == 0);
    item[INDEX(position + i)] = 1 + id * ITEMS + number + i
  }
}

inline write_stamp() {
  atomic { stamp[INDEX(position + i)] = PLUS(position, i + 1); written++ }
}

proctype producer(byte id) {
  byte number = 0;
  byte position, distance, wanted, count, i;

  do
  :: number == ITEMS -> break
  :: else ->
     select(wanted : 1 .. BATCH);
     if
     :: wanted > ITEMS - number -> wanted = ITEMS - number
     :: wanted > CAPACITY -> wanted = CAPACITY
     :: else
     fi;
     claim(tail, 0, wanted, claimed_in, claimed_in - claimed_out == CAPACITY || claimed_out > released);
     i = 0;
     do
     :: i < count ->
#if BROKEN == 1
        write_stamp();
        write_item();
#else
        write_item();
        write_stamp();
#endif
        i++
     :: else -> break
     od;
     number = number + count;
     count = 0; position = 0; distance = 0; i = 0 /* fewer states */
  od
}

inline read_item() {
  atomic {
    got = item[INDEX(position + i)];
    item[INDEX(position + i)] = 0;
    assert(got != 0);
    got--;
    assert(!taken[got]);
    taken[got] = true;
    assert(got % ITEMS >= next[got / ITEMS]); /* this producer's order */
    next[got / ITEMS] = got % ITEMS + 1;
    got = 0
  }
}

inline release_slot() {
  atomic { stamp[INDEX(position + i)] = PLUS(position, i + CAPACITY); released++ }
}

proctype consumer() {
  byte next[PRODUCERS];
  byte position, distance, wanted, count, i, got;

  do
  :: released == TOTAL -> break
  :: else ->
     select(wanted : 1 .. BATCH);
     if
     :: wanted > CAPACITY -> wanted = CAPACITY
     :: else
     fi;
     claim(head, 1, wanted, claimed_out, claimed_in == claimed_out || claimed_in > written);
     i = 0;
     do
     :: i < count ->
#if BROKEN == 2
        release_slot();
        read_item();
#else
        read_item();
        release_slot();
#endif
        i++
     :: else -> break
     od;
     count = 0; position = 0; distance = 0; i = 0
  od
}

init {
  byte i;
  atomic {
    i = 0;
    do
    :: i < CAPACITY -> stamp[INDEX(START + i)] = PLUS(START, i); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < PRODUCERS -> run producer(i); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < CONSUMERS -> run consumer(); i++
    :: else -> break
    od
  }
  _nr_pr == 1;
  atomic {
    assert(claimed_in == TOTAL && written == TOTAL && claimed_out == TOTAL);
    i = 0;
    do
    :: i < TOTAL -> assert(taken[i]); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < CAPACITY -> assert(item[i] == 0); i++
    :: else -> break
    od
  }
}
