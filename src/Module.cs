// Of every assembly of the product: stack buffers are not cleared before use. Each page that is touched for nothing costs at start-up.
[module: System.Runtime.CompilerServices.SkipLocalsInit]
