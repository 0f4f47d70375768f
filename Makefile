# SPDX-License-Identifier: GPL-2.0
# What a person types. Kbuild reads Kbuild, not this file.

# A driver author's own kernel: make modules KDIR=/lib/modules/VERSION/build
KDIR ?= /lib/modules/$(shell uname -r)/build
CONFIGS := CONFIG_DMA_BUF_EXPORTER=m CONFIG_DMA_BUF_IMPORTER=m CONFIG_DMABUF_HEAPS_PFNMAP=m
# The source of that kernel, for make rxe
KSRC ?= $(KDIR)

# make check and make shell: kernels to visit, tests to run
K ?=
T ?=

# make torture: minutes, and what a failure said
MIN ?= 30
SEED ?=

help:
	@echo 'make demo                boot a stock kernel, show what can grab a dma-buf and what cannot'
	@echo 'make check               run all tests on all kernels'
	@echo 'make check T=mapping K=lts   one test, one kernel (both take lists)'
	@echo 'make check-list          the tests there are'
	@echo 'make torture MIN=30      torture buffers for so many minutes (K=lts, SEED=n from a failure)'
	@echo 'make bench               measure in guest instructions, write build/bench/results.json'
	@echo 'make shell K=latest      a root shell in a guest with the modules loaded'
	@echo 'make htmldocs            the documentation, in build/doc/html'
	@echo 'make modules KDIR=DIR    compile the modules for a kernel of your own'
	@echo 'make modules_install KDIR=DIR'
	@echo 'make rxe KSRC=DIR        before that: soft-RoCE of that kernel source, with dma-buf MRs'
	@echo 'make clean               remove build/ (the downloads stay in the cache)'

demo:
	@testbed/demo

check:
	@testbed/check $(if $(K),-k '$(K)') $(T)

check-list:
	@testbed/check --list

torture:
	@testbed/torture $(if $(K),-k '$(K)') $(MIN) $(SEED)

bench:
	@testbed/bench $(if $(K),-k '$(K)')

shell:
	@testbed/vm shell $(if $(K),-k $(K)) --timeout 86400

htmldocs:
	@testbed/docs

modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(CONFIGS) modules

rxe:
	@scripts/rxe-source $(KSRC) drivers/infiniband/sw/rxe/build

modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) $(CONFIGS) modules_install

clean:
	rm -rf build drivers/infiniband/sw/rxe/build

.PHONY: help demo check check-list torture bench shell htmldocs modules modules_install rxe clean
.DEFAULT_GOAL := help
