// Go's goroutines on three workloads: see ../README.md.
// `submit`: the main goroutine starts the others, on a processor of its own beside the workers; they tell a WaitGroup, as one writes it.
// `fib`, `skynet`: a goroutine a branch; a node's results and the WaitGroup for them are one allocation, which costs less than a channel.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"time"
)

// 16 bytes, as in the other programs' tasks.
type capture struct {
	to     *sync.WaitGroup
	weight uint64
}

func submit(n uint64) (uint64, uint64) {
	var all sync.WaitGroup
	all.Add(int(n))
	c := capture{&all, 1}
	for i := uint64(0); i < n; i++ {
		go func(c capture) { c.to.Add(-int(c.weight)) }(c)
	}
	all.Wait()
	return n, n
}

func fib(n uint64) uint64 {
	if n < 2 {
		return n
	}
	var other struct {
		over sync.WaitGroup
		sum  uint64
	}
	other.over.Add(1)
	go func() {
		other.sum = fib(n - 1)
		other.over.Done()
	}()
	mine := fib(n - 2)
	other.over.Wait()
	return mine + other.sum
}

func knownFib(n uint64) uint64 {
	is, next := uint64(0), uint64(1)
	for ; n > 0; n-- {
		is, next = next, is+next
	}
	return is
}

func skynet(first, leaves uint64) uint64 {
	if leaves == 1 {
		return first
	}
	var branches struct {
		over sync.WaitGroup
		sums [10]uint64
	}
	branches.over.Add(10)
	for i := uint64(0); i < 10; i++ {
		go func(i uint64) {
			branches.sums[i] = skynet(first+i*leaves/10, leaves/10)
			branches.over.Done()
		}(i)
	}
	branches.over.Wait()
	sum := uint64(0)
	for _, s := range branches.sums {
		sum += s
	}
	return sum
}

// Runs it once: what was found, what is right, and the number of operations.
func run(workload string, n uint64) (found, right, operations uint64) {
	switch workload {
	case "submit":
		found, right = submit(n)
		return found, right, n
	case "fib":
		return fib(n), knownFib(n), knownFib(n+1) - 1
	case "skynet":
		return skynet(0, n), n * (n - 1) / 2, (10*n - 1) / 9
	}
	fmt.Fprintln(os.Stderr, "workloads: submit, fib, skynet")
	os.Exit(2)
	return
}

func number(at int, otherwise uint64) uint64 {
	if len(os.Args) <= at {
		return otherwise
	}
	value, err := strconv.ParseUint(os.Args[at], 10, 64)
	if err != nil || value == 0 {
		fmt.Fprintln(os.Stderr, "not a number:", os.Args[at])
		os.Exit(2)
	}
	return value
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go_tasks WORKLOAD THREADS [N [ROUNDS]]")
		os.Exit(2)
	}
	workload := os.Args[1]
	usual := map[string]uint64{"submit": 1000000, "fib": 30, "skynet": 1000000}
	threads := int(number(2, 1))
	n := number(3, usual[workload])
	rounds := int(number(4, 5))
	processors := threads
	if workload == "submit" {
		processors++
	}
	runtime.GOMAXPROCS(processors)
	var took []float64
	var operations uint64
	for round := 0; round <= rounds; round++ { // the first is not counted
		begin := time.Now()
		found, right, ops := run(workload, n)
		wall := float64(time.Since(begin).Nanoseconds())
		if found != right {
			fmt.Fprintln(os.Stderr, "wrong result")
			os.Exit(1)
		}
		operations = ops
		if round > 0 {
			took = append(took, wall)
		}
	}
	sort.Float64s(took)
	median := took[len(took)/2]
	line, _ := json.Marshal(struct {
		Workload string  `json:"workload"`
		Backend  string  `json:"backend"`
		Threads  int     `json:"threads"`
		N        uint64  `json:"n"`
		WallMs   float64 `json:"wall_ms"`
		TaskNs   float64 `json:"task_ns"`
	}{workload, "go", threads, n, median / 1e6, median / float64(operations)})
	fmt.Println(string(line))
}
