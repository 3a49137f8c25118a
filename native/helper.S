/* conman-init, carried inside conman. */
    .section .rodata
    .balign 16
    .globl conman_init_begin, conman_init_end
conman_init_begin:
    .incbin CONMAN_INIT
conman_init_end:
    .section .note.GNU-stack,"",%progbits
