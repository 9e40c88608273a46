package main

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Lanes hold what is read and not finished: per user in order, one request in flight each.
type Lanes struct {
	batch int
	slots chan struct{} // a place for each event that may be buffered
	ready chan *Lane

	mutex      sync.Mutex
	byUser     map[string]*Lane
	partitions map[int32]*Partition
}

// Lane is one user's.
type Lane struct {
	user    string
	waiting []Event
}

// Partition knows which offsets are finished.
type Partition struct {
	first    int64  // offset of finished[0]
	finished []bool // from there on; topics of the benchmark have no gaps
}

// NewLanes buffers at most `buffer` events.
func NewLanes(batch, buffer int) *Lanes {
	return &Lanes{
		batch:      batch,
		slots:      make(chan struct{}, buffer),
		ready:      make(chan *Lane, buffer),
		byUser:     map[string]*Lane{},
		partitions: map[int32]*Partition{},
	}
}

// Add a record; waits while the buffer is full.
func (l *Lanes) Add(record *kgo.Record) {
	event := decode(record)
	l.slots <- struct{}{}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	partition := l.partitions[record.Partition]
	if partition == nil {
		partition = &Partition{first: record.Offset}
		l.partitions[record.Partition] = partition
	}
	partition.finished = append(partition.finished, false)
	lane := l.byUser[event.UserID]
	if lane == nil {
		lane = &Lane{user: event.UserID}
		l.byUser[event.UserID] = lane
		l.ready <- lane
	}
	lane.waiting = append(lane.waiting, event)
}

// Take a lane that nobody works on and the events of its next request: an identify alone, or those before the next one.
func (l *Lanes) Take() (*Lane, []Event) {
	lane := <-l.ready
	l.mutex.Lock()
	defer l.mutex.Unlock()
	count := 1
	if lane.waiting[0].Type != "identify" {
		for count < len(lane.waiting) && count < l.batch && lane.waiting[count].Type != "identify" {
			count++
		}
	}
	return lane, lane.waiting[:count:count]
}

// Finish the request that was taken.
func (l *Lanes) Finish(lane *Lane, events []Event) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, event := range events {
		partition := l.partitions[event.partition]
		partition.finished[event.offset-partition.first] = true
		<-l.slots
	}
	lane.waiting = lane.waiting[len(events):]
	if len(lane.waiting) > 0 {
		l.ready <- lane
	} else {
		delete(l.byUser, lane.user)
	}
}

// Committable offsets of the partitions that went on since last time.
func (l *Lanes) Committable() map[int32]kgo.EpochOffset {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	offsets := map[int32]kgo.EpochOffset{}
	for number, partition := range l.partitions {
		done := 0
		for done < len(partition.finished) && partition.finished[done] {
			done++
		}
		if done > 0 {
			partition.finished = partition.finished[done:]
			partition.first += int64(done)
			offsets[number] = kgo.EpochOffset{Epoch: -1, Offset: partition.first}
		}
	}
	return offsets
}
