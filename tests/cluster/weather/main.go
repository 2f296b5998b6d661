// Command weather is the network between the hosts of a test: each host is a network namespace with one
// TUN device, and every packet between two of them passes through this process, which loses, delays or
// cuts by direction what it is told to. It needs root, /dev/net/tun and ip(8).
//
// Arguments: NAME=NAMESPACE=ADDRESS for each host; an empty namespace is that of this process. It
// prints "ready" once all devices are up, then reads commands, one a line, and answers "ok" to each:
//
//	set FROM TO [cut] [loss=PERCENT] [delay=MS]   FROM and TO are names, or * for all
//	clear
//
// It ends with its standard input, and its devices with it.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	mtu          = 16000
	queuePackets = 20000
	tunSetIff    = 0x400454ca
	iffTun       = 0x0001
	iffNoPi      = 0x1000
)

type weather struct {
	cut   bool
	loss  int
	delay time.Duration
}

type host struct {
	name    string
	address uint32
	tun     *os.File
}

// What is on its way from one host to another, in order.
type link struct {
	now   atomic.Pointer[weather]
	queue chan parcel
}

type parcel struct {
	due    time.Time
	packet []byte
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "weather:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	hosts := make([]*host, 0, len(args))
	for index, arg := range args {
		one, err := openHost(fmt.Sprintf("kst%d-%d", os.Getpid()%100000, index), arg)
		if err != nil {
			return err
		}
		hosts = append(hosts, one)
	}
	links := connect(hosts)
	for from := range hosts {
		go carry(hosts, from, links[from])
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := obey(hosts, links, strings.Fields(lines.Text())); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
	return nil
}

func openHost(device, arg string) (*host, error) {
	parts := strings.Split(arg, "=")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is not NAME=NAMESPACE=ADDRESS", arg)
	}
	name, namespace, address := parts[0], parts[1], parts[2]
	tun, err := openTun(device)
	if err != nil {
		return nil, fmt.Errorf("a TUN device for %s: %w", name, err)
	}
	inside := []string{}
	if namespace != "" {
		if err := ip("link", "set", device, "netns", namespace); err != nil {
			return nil, err
		}
		inside = []string{"-n", namespace}
		if err := ip("-n", namespace, "link", "set", "lo", "up"); err != nil {
			return nil, err
		}
	}
	at := func(words ...string) error { return ip(append(append([]string{}, inside...), words...)...) }
	if err := at("addr", "add", address+"/24", "dev", device); err != nil {
		return nil, err
	}
	if err := at("link", "set", device, "mtu", strconv.Itoa(mtu), "txqueuelen", "5000", "up"); err != nil {
		return nil, err
	}
	return &host{name: name, address: parseAddress(address), tun: tun}, nil
}

func openTun(device string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var request [40]byte
	copy(request[:15], device)
	binary.NativeEndian.PutUint16(request[16:], iffTun|iffNoPi)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff,
		uintptr(unsafe.Pointer(&request[0])))
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(uintptr(fd), device), nil
}

func ip(words ...string) error {
	if out, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %s", strings.Join(words, " "), strings.TrimSpace(string(out)))
	}
	return nil
}

func parseAddress(text string) uint32 {
	var address uint32
	for _, part := range strings.Split(text, ".") {
		value, _ := strconv.Atoi(part)
		address = address<<8 | uint32(value&255)
	}
	return address
}

func connect(hosts []*host) [][]*link {
	links := make([][]*link, len(hosts))
	for from := range hosts {
		links[from] = make([]*link, len(hosts))
		for to := range hosts {
			one := &link{queue: make(chan parcel, queuePackets)}
			one.now.Store(&weather{})
			links[from][to] = one
			go deliver(hosts[to], one)
		}
	}
	return links
}

// carry reads what a host sends. What comes when a link's queue is full is lost, as on any network.
func carry(hosts []*host, from int, links []*link) {
	byAddress := map[uint32]int{}
	for index, one := range hosts {
		byAddress[one.address] = index
	}
	buffer := make([]byte, 65536)
	for {
		count, err := hosts[from].tun.Read(buffer)
		if err != nil {
			return
		}
		if count < 20 || buffer[0]>>4 != 4 {
			continue
		}
		to, isKnown := byAddress[binary.BigEndian.Uint32(buffer[16:])]
		if !isKnown {
			continue
		}
		now := links[to].now.Load()
		if now.cut || (now.loss > 0 && rand.Intn(100) < now.loss) {
			continue
		}
		one := parcel{packet: append([]byte(nil), buffer[:count]...)}
		if now.delay > 0 {
			one.due = time.Now().Add(now.delay)
		}
		select {
		case links[to].queue <- one:
		default:
		}
	}
}

func deliver(to *host, one *link) {
	for next := range one.queue {
		if !next.due.IsZero() {
			time.Sleep(time.Until(next.due))
		}
		_, _ = to.tun.Write(next.packet)
	}
}

func obey(hosts []*host, links [][]*link, words []string) error {
	if len(words) == 1 && words[0] == "clear" {
		words = []string{"set", "*", "*"}
	}
	if len(words) < 3 || words[0] != "set" {
		return fmt.Errorf("no such command: %s", strings.Join(words, " "))
	}
	now := weather{}
	for _, word := range words[3:] {
		key, value, _ := strings.Cut(word, "=")
		number, _ := strconv.Atoi(value)
		switch key {
		case "cut":
			now.cut = true
		case "loss":
			now.loss = number
		case "delay":
			now.delay = time.Duration(number) * time.Millisecond
		default:
			return fmt.Errorf("no such weather: %s", word)
		}
	}
	isMeant := func(word string, one *host) bool { return word == "*" || word == one.name }
	for from := range hosts {
		for to := range hosts {
			if from != to && isMeant(words[1], hosts[from]) && isMeant(words[2], hosts[to]) {
				links[from][to].now.Store(&now)
			}
		}
	}
	return nil
}
