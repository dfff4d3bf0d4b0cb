/* SPDX-License-Identifier: MIT */
/* stats.h - the account of one machine, kept up to date while it runs.
 *
 * The owner of the machine supplies the memory, so that it can be shared with an
 * onlooker.  Every field is one aligned word, written under the machine's lock; an
 * onlooker reads words, each right for itself.
 *
 * nr_frames = frames_free + frames_mapped + frames_store + frames_table + frames_meta,
 * and each "peak" is the highest value that the field beside it has had.
 */
#ifndef QUIRE_STATS_H
#define QUIRE_STATS_H

#include <stdint.h>

struct quire_stats {
	/* Frames, by what they hold. */
	uint64_t nr_frames;
	uint64_t frames_free;
	uint64_t frames_mapped, peak_mapped; /* pages of the program */
	uint64_t frames_store, peak_store;   /* compressed pages */
	uint64_t frames_table, peak_table;   /* page tables, areas, swap maps, slabs */
	uint64_t frames_meta;		     /* the frame table, lanes, the machine */
	uint64_t peak_used;		     /* all but free, together */

	/* Faults. */
	uint64_t faults;
	uint64_t faults_zero;	 /* first touch */
	uint64_t faults_minor;	 /* the page was there, or on its way */
	uint64_t faults_major;	 /* from the store or from a device */
	uint64_t faults_protect; /* write to a page whose copy was still good */
	uint64_t fault_ns;	 /* time from taking up a fault to its end */
	uint64_t reclaim_ns;	 /* time spent evicting */

	/* Pages on the move. */
	uint64_t pages_zeroed;	/* filled with zeros, those around the fault included */
	uint64_t pages_in;	/* back from store or device */
	uint64_t pages_ahead;	/* of these, not asked for yet */
	uint64_t pages_out;	/* compressed and stored */
	uint64_t clean_drops;	/* gone out with no work: the copy was still good */
	uint64_t zero_drops;	/* gone out with no trace: all zero */
	uint64_t refaults_soon; /* came back before the clock's hand came round */
	uint64_t pages_kept;	/* pinned by a device when their turn came */

	/* The compressed store and the devices behind it. */
	uint64_t stored_pages;		  /* now, in RAM */
	uint64_t stored_bytes;		  /* their compressed size */
	uint64_t packed_in, packed_out;	  /* bytes into and out of the compressor, ever */
	uint64_t spilled_pages;		  /* now, on a device */
	uint64_t extents_out, extents_in; /* transfers */
	uint64_t swap_extents;		  /* in use on devices now */
	uint64_t swap_ns;		  /* time in transfers */

	/* The address space. */
	uint64_t areas;
	uint64_t mapped_bytes; /* sum of areas */
	uint64_t locked_bytes;
	uint64_t touched_pages; /* mapped or swapped: what the program has put in */
};

#endif
