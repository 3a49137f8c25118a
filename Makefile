# conman: `make run` and `make test` do all the set-up themselves; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

RID := linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)
OUT := out
BINARY := $(OUT)/conman
PREFIX ?= /usr/local

BUILD_PACKAGES := gcc libc6-dev musl-tools zlib1g-dev libssl-dev cmake libzstd-dev binutils
RUN_PACKAGES := busybox-static
TEST_PACKAGES := busybox-static runc libseccomp-dev strace iproute2 nftables socat containernetworking-plugins procps uidmap mmdebstrap attr umoci skopeo docker-registry $(VM_PACKAGES)
# The virtual machine of the tests (tests/Vm): its kernel is unpacked, not installed.
VM_PACKAGES := qemu-system-x86 kmod cpio xz-utils zstd lz4 systemd dbus
# Container hosts, which the tests run on conman in namespaces of their own. Another vendor's are as good; nothing is removed for these.
HOST_PACKAGES := podman conmon iptables $(if $(shell command -v containerd),,containerd) $(if $(shell command -v dockerd),,docker.io)
BENCH_PACKAGES := busybox-static mmdebstrap

.PHONY: help build run test bench soak format install uninstall clean setup-build setup-run setup-test setup-bench

help: ## show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: setup-build $(BINARY) ## build the one binary, out/conman

run: setup-run build ## build, and run a first container
	@bench/first-container $(BINARY)

test: setup-test build ## build, and run every test
	@tests/run

bench: setup-bench build ## compare with crun, runc and the floor, in one run
	bench/compare

soak: setup-test build ## the whole kill sweep, which takes half an hour and more; stopped and started again, it goes on where it was
	@tests/KillSweep/soak

format: ## put the code into the project's format
	dotnet format Conman.sln

install: build ## install to /usr/local/bin (or PREFIX), with the link conman-runc and a unit of systemd, which is not enabled
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/conman
	ln -sf conman $(DESTDIR)$(PREFIX)/bin/conman-runc
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@bindir@|$(PREFIX)/bin|' dist/conman.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/conman.service

uninstall: ## remove what install installed
	rm -f $(DESTDIR)$(PREFIX)/bin/conman $(DESTDIR)$(PREFIX)/bin/conman-runc $(DESTDIR)$(PREFIX)/lib/systemd/system/conman.service

clean: ## remove everything that was built
	rm -rf $(OUT)

# One recipe for every list of packages: install what is missing as root, else say what to type.
define install-packages
	@missing=$$(for p in $(1); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then \
			echo "installing" $$missing; \
			{ apt-get install -y -qq $(2) $$missing || { apt-get update -qq && apt-get install -y -qq $(2) $$missing; }; } >/dev/null 2>$(OUT).apt-errors \
				|| { cat $(OUT).apt-errors; rm -f $(OUT).apt-errors; exit 1; }; rm -f $(OUT).apt-errors; \
		else \
			echo "missing packages; type:  sudo apt-get install $(2)" $$missing; exit 1; \
		fi; \
	fi
endef

setup-build:
	$(call install-packages,$(BUILD_PACKAGES))
	@command -v dotnet >/dev/null || { echo "missing: the .NET SDK 10 (https://dot.net), with dotnet on PATH"; exit 1; }

setup-run:
	$(call install-packages,$(RUN_PACKAGES))

setup-test:
	$(call install-packages,$(TEST_PACKAGES))
	$(call install-packages,$(HOST_PACKAGES),--no-install-recommends --no-remove)

setup-bench:
	$(call install-packages,$(BENCH_PACKAGES))

SOURCES := $(shell find src native -name '*.cs' -o -name '*.csproj' -o -name '*.[chS]' -o -name '*.order' -o -name '*.ld' -o -name Makefile -o -name '*.props' -o -name embed) Directory.Build.props Directory.Packages.props

PUBLISH = TMPDIR=$(abspath $(OUT))/tmp CMAKE_TOOLCHAIN_FILE=$(abspath native/openssl.cmake) DOTNET_EnableDiagnostics=0 dotnet publish -c Release -r $(RID) -v quiet --nologo
PUBLISHED = $(abspath $(OUT))/build/publish

# Two programs in one: native/programs.c tells why.
$(BINARY): $(SOURCES)
	@$(MAKE) --no-print-directory -C native OUT=$(abspath $(OUT))/native
	@mkdir -p $(OUT)/tmp
	@$(PUBLISH) src/Conman.Runc
	@$(MAKE) --no-print-directory -C native OUT=$(abspath $(OUT))/native PROGRAM=$(PUBLISHED)/Conman.Runc/release_$(RID)/conman-runc $(abspath $(OUT))/native/programs.o
	@$(PUBLISH) src/Conman
	@install -m 755 $(PUBLISHED)/Conman/release_$(RID)/conman $(BINARY)
