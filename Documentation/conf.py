# SPDX-License-Identifier: GPL-2.0
# Sphinx configuration. KERNEL_SOURCE is a kernel tree, or the part of one, whose
# kernel-doc turns comments into text.
import os
import sys

kernel = os.environ['KERNEL_SOURCE']
sys.path.insert(0, kernel + '/Documentation/sphinx')

project = 'dma-buf-pfnmap'
copyright = 'the dma-buf-pfnmap authors'
extensions = ['kerneldoc']
kerneldoc_bin = kernel + '/scripts/kernel-doc'
kerneldoc_srctree = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
primary_domain = 'c'
highlight_language = 'none'
html_theme = 'alabaster'
html_theme_options = {'description': 'dma-bufs that cannot be pinned behind the exporter\'s back'}
exclude_patterns = ['examples']

# Types of the kernel that these pages name and other pages document.
nitpicky = False
